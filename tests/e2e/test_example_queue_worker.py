"""examples/sqs_worker as its template describes it: every resource made, one command."""

from __future__ import annotations

import json
import sys

from tests.support.aws import clients_of, eventually
from tests.support.command_line import ROOT, Serving

EXAMPLE = ROOT / "examples" / "sqs_worker"


def test_the_project_of_a_template() -> None:
    """Orders are booked; one that cannot be comes again alone, until it is a dead letter."""
    template = ("--config", str(EXAMPLE / "template.yaml"))
    with (
        Serving(*template, "--aws", "embedded", "--python", sys.executable) as serving,
        clients_of(serving.url) as aws,
    ):
        sqs, dynamodb = aws("sqs"), aws("dynamodb")
        url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] == 5
        (mapping,) = aws("lambda").list_event_source_mappings()["EventSourceMappings"]
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["ScalingConfig"] == {"MaximumConcurrency": 10}

        again = {"VisibilityTimeout": "1"}  # five receives in five seconds, not in five minutes
        sqs.set_queue_attributes(QueueUrl=url, Attributes=again)
        bodies = [{"customer": "Ada", "count": count} for count in (1, 2, 0)]
        sent = [
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))["MessageId"]
            for body in bodies
        ]
        eventually(lambda: len(dynamodb.scan(TableName="Bookings")["Items"]) == 2, "both bookings")
        booked = {item["id"]["S"] for item in dynamodb.scan(TableName="Bookings")["Items"]}
        assert booked == set(sent[:2])

        dead = sqs.get_queue_url(QueueName="orders-unbookable")["QueueUrl"]
        (message,) = eventually(
            lambda: sqs.receive_message(QueueUrl=dead).get("Messages"), "the dead letter"
        )
        assert json.loads(message["Body"])["count"] == 0
        serving.stop()
        failures = [line for line in serving.log.splitlines() if "the count is 0" in line]
        assert sorted(line.rpartition("time ")[2][0] for line in failures) == list("12345")
