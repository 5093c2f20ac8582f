/* global awslambda */
export const handler = async (event, context) => {
  if (event.fail) throw new TypeError("as asked");
  if (event.exit) process.exit(3);
  return {
    event,
    name: context.functionName,
    id: context.awsRequestId,
    isInTime: context.getRemainingTimeInMillis() > 0,
  };
};

export const stream = awslambda.streamifyResponse(async (event, out) => {
  out.setContentType("text/plain");
  out.write("one ");
  if (event.break) throw new RangeError("midway");
  out.write("two");
  out.end();
});
