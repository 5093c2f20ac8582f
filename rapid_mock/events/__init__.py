"""Realistic events of the services that invoke a function: one call makes one.

    from rapid_mock import events
    hello.invoke(events.sqs({"order": 7}, queue="orders"))

Every field of AWS's event is there; keyword arguments change what a test is about. What is not
given is thrown: `seed` (any integer) makes that the same each time, `at` (a datetime, or epoch
seconds) is the moment of the event. Bodies may be text, bytes or anything JSON.
"""

from __future__ import annotations

from rapid_mock.events.bus import eventbridge, scheduled
from rapid_mock.events.gateways import api_gateway_v1, api_gateway_v2, function_url
from rapid_mock.events.load_balancer import alb
from rapid_mock.events.logs import cloudwatch_logs
from rapid_mock.events.objects import s3
from rapid_mock.events.queues import sqs
from rapid_mock.events.streams import kinesis
from rapid_mock.events.tables import dynamodb
from rapid_mock.events.topics import sns
from rapid_mock.events.values import Event, merge

__all__ = [
    "Event",
    "alb",
    "api_gateway_v1",
    "api_gateway_v2",
    "cloudwatch_logs",
    "dynamodb",
    "eventbridge",
    "function_url",
    "kinesis",
    "merge",
    "s3",
    "scheduled",
    "sns",
    "sqs",
]
