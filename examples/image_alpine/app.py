"""Orders from a queue; those that fail come again, the others do not (partial batch response)."""

import json
import logging

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)


def handler(event, context):
    failed = []
    for record in event["Records"]:
        try:
            ship(json.loads(record["body"]))
        except Exception:
            logger.exception("message %s will come again", record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def ship(order):
    if order["quantity"] < 1:
        raise ValueError(f"order {order['id']} is empty")
    logger.info("order %s: %d shipped", order["id"], order["quantity"])
