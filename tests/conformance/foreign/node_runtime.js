// A runtime over Node's own http module: kept connections, and streamed responses with trailers.
const http = require("http");
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const root = "/2018-06-01/runtime/invocation/";

function request(method, path, headers, send) {
  return new Promise((resolve, reject) => {
    const options = { host, port, agent, method, path: root + path, headers };
    const outgoing = http.request(options, (incoming) => {
      const chunks = [];
      incoming.on("data", (chunk) => chunks.push(chunk));
      incoming.on("end", () => resolve({ headers: incoming.headers, body: Buffer.concat(chunks) }));
    });
    outgoing.on("error", reject);
    send(outgoing);
  });
}

async function main() {
  for (;;) {
    const next = await request("GET", "next", {}, (outgoing) => outgoing.end());
    const id = next.headers["lambda-runtime-aws-request-id"];
    const event = JSON.parse(next.body);
    const json = { "Content-Type": "application/json" };
    if (event.stream) {
      const headers = {
        "Lambda-Runtime-Function-Response-Mode": "streaming",
        "Content-Type": "text/plain",
        Trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
      };
      await request("POST", `${id}/response`, headers, (outgoing) => {
        outgoing.write("one ");
        outgoing.write("two");
        if (event.stream === "break") {
          const error = Buffer.from('{"errorMessage":"mid","errorType":"Node.Broken"}');
          outgoing.addTrailers({
            "Lambda-Runtime-Function-Error-Type": "Node.Broken",
            "Lambda-Runtime-Function-Error-Body": error.toString("base64"),
          });
        }
        outgoing.end();
      });
    } else {
      await request("POST", `${id}/response`, json, (outgoing) => outgoing.end(next.body));
    }
  }
}

main();
