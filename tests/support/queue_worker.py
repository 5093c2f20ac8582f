"""A function behind a queue, and what it was given: one line for each batch, written at its end."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support.aws import ACCOUNT, Clients, eventually
from tests.support.lambda_api import create

PYTHON = f"python3.{sys.version_info[1]}"
HANDLER = """
import json, os, time

def handler(event, context):
    begun = time.time()
    records = event["Records"]
    bodies = [json.loads(record["body"]) for record in records]
    time.sleep(max(body.get("sleep", 0) for body in bodies))
    failed = [r["messageId"] for r, body in zip(records, bodies) if body.get("fails")]
    line = {"begun": begun, "ended": time.time(), "records": records, "failed": failed}
    log = os.open(os.environ["LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, json.dumps(line).encode() + b"\\n")
    os.close(log)
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
"""


def queue_arn(name: str) -> str:
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


class Worker:
    """The function `name`, the queue of that name, and the mapping between them."""

    def __init__(self, aws: Clients, log: Path, name: str) -> None:
        self.aws = aws
        self.name = name
        self.arn = queue_arn(name)
        self.url = ""
        self.mapping = ""
        self._log = log

    def make_function(self, timeout: int = 1, **options: Any) -> None:
        variables = {"Variables": {"LOG": str(self._log)}}
        client = self.aws("lambda")
        create(
            client,
            self.name,
            HANDLER,
            Runtime=PYTHON,
            Timeout=timeout,
            Environment=variables,
            **options,
        )

    def make_queue(self, visibility: int = 3, **attributes: str) -> str:
        """Returns its URL."""
        given = {"VisibilityTimeout": str(visibility), **attributes}
        answer = self.aws("sqs").create_queue(QueueName=self.name, Attributes=given)
        self.url = answer["QueueUrl"]
        return self.url

    def make_dead_letter_queue(self, most: int) -> dict[str, str]:
        """The attribute that leads there after `most` receives."""
        name = f"{self.name}-dead"
        self.aws("sqs").create_queue(QueueName=name)
        policy = {"deadLetterTargetArn": queue_arn(name), "maxReceiveCount": most}
        return {"RedrivePolicy": json.dumps(policy)}

    def map(self, **members: Any) -> dict[str, Any]:
        """Create the mapping, and wait until it polls."""
        made: dict[str, Any] = self.aws("lambda").create_event_source_mapping(
            FunctionName=self.name, EventSourceArn=self.arn, **members
        )
        self.mapping = made["UUID"]
        if members.get("Enabled") is not False:
            self.wait_for("Enabled")
        return made

    def state(self) -> str:
        return str(self.aws("lambda").get_event_source_mapping(UUID=self.mapping)["State"])

    def wait_for(self, state: str) -> None:
        eventually(lambda: self.state() == state, f"state {state}")

    def send(self, bodies: list[dict[str, Any]]) -> None:
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(place), "MessageBody": json.dumps(body)}
                for place, body in enumerate(bodies[start : start + 10])
            ]
            answer = self.aws("sqs").send_message_batch(QueueUrl=self.url, Entries=entries)
            assert not answer.get("Failed")

    @property
    def batches(self) -> list[dict[str, Any]]:
        """What the function has been through, in the order of its ends."""
        if not self._log.exists():
            return []
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    @property
    def records(self) -> list[dict[str, Any]]:
        return [record for batch in self.batches for record in batch["records"]]

    @property
    def numbers(self) -> Counter[int]:
        """How often each message was delivered, by the `n` in its body."""
        return Counter(json.loads(record["body"])["n"] for record in self.records)

    def left(self, name: str | None = None) -> int:
        """How many messages a queue has, visible or not."""
        sqs = self.aws("sqs")
        url = sqs.get_queue_url(QueueName=name or self.name)["QueueUrl"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(map(int, found.values()))

    def drained(self, name: str) -> list[dict[str, Any]]:
        """Every message of a queue, which is empty after that."""
        sqs, found = self.aws("sqs"), []
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        while messages := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        ).get("Messages"):
            found += messages
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found
