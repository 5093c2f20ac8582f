"""SQS as plain as can be, run as a program: as many messages as it was told, in any queue.

What a poller carries shows only where the engine behind it is no limit.
"""

from __future__ import annotations

import json
import sys
import threading
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

BODY = "x" * 100
DIGEST = md5(BODY.encode(), usedforsecurity=False).hexdigest()
LONG_POLL_SECONDS = 0.2


class Queue:
    """Hands out messages until `left` is zero; `PUT /N` puts more there."""

    def __init__(self) -> None:
        self._numbers = count()
        self._left = 0
        self._changed = threading.Condition()

    def fill(self, messages: int) -> None:
        with self._changed:
            self._left += messages
            self._changed.notify_all()

    def take(self, most: int) -> list[dict[str, Any]]:
        with self._changed:
            self._changed.wait_for(lambda: self._left, LONG_POLL_SECONDS)
            taken = min(most, self._left)
            self._left -= taken
            numbers = [next(self._numbers) for _ in range(taken)]
        return [
            {
                "MessageId": str(number),
                "ReceiptHandle": str(number),
                "Body": BODY,
                "MD5OfBody": DIGEST,
                "Attributes": {"ApproximateReceiveCount": "1"},
            }
            for number in numbers
        ]


QUEUE = Queue()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        QUEUE.fill(int(self.path[1:]))
        self._answer({})

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        self._answer(self._outcome(operation, said))

    def _outcome(self, operation: str, said: dict[str, Any]) -> dict[str, Any]:
        if operation == "GetQueueUrl":
            return {"QueueUrl": f"http://127.0.0.1/123456789012/{said['QueueName']}"}
        if operation == "GetQueueAttributes":
            return {"Attributes": {"VisibilityTimeout": "60"}}
        if operation == "ReceiveMessage":
            return {"Messages": QUEUE.take(said["MaxNumberOfMessages"])}
        entries = [{"Id": entry["Id"]} for entry in said.get("Entries", ())]
        return {"Successful": entries, "Failed": []} if entries else {}

    def _answer(self, members: dict[str, Any]) -> None:
        body = json.dumps(members).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        self.wfile.write(head + body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
