"""Sends what an invocation has collected after its caller has the answer.

rapid-mock invoke app.handler --code examples/internal_extension -e '{"items": 3}'
"""

from lambda_extensions import InternalExtension

internal = InternalExtension("flush")
collected = []


@internal.after_response
def flush(event):
    print(f"flushing {len(collected)} measurements of {event.request_id}")
    collected.clear()


@internal.watch  # for AWS's own runtime client; lambda_runtime tells without it
def handler(event, context):
    collected.extend(range(event.get("items", 1)))
    return {"collected": len(collected)}
