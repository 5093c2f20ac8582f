"""Services that would invoke functions on AWS and invoke none here: told of, never silently wrong.

The AWS behind the gateway keeps what they are told and answers; it knows no function of this
Lambda, and does nothing by itself. Whoever names a function to one of them gets a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from rapid_mock.http.exchange import Request
from rapid_mock.http.gateway import AwsAnswer, Forward, service_of

_FUNCTION = re.compile(
    rb"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[\w-]+(?::[\w$-]+)?"
    rb"|AWS::(?:Lambda|Serverless)::Function"
)
_URL = "Give the function a URL instead."
_INSTEAD = {
    "apigateway": _URL,
    "appsync": "",
    "cloudformation": "Give the template to --config instead.",
    "cognito-idp": "",
    "config": "",
    "elasticloadbalancing": _URL,
    "firehose": "",
    "iot": "",
    "logs": "",
    "monitoring": "Let the alarm tell a topic that the function subscribes to.",
    "pipes": "Make an event source mapping, or a rule of EventBridge, instead.",
    "scheduler": "Put a rule of EventBridge with a ScheduleExpression instead.",
    "secretsmanager": "",
    "ses": "",
    "states": "",
}
"""By signing name: what to do instead, if there is something."""
_DATA = ("Logs_20140328.PutLogEvents", "Firehose_20150804.PutRecord")
"""Calls whose bodies are the users' own data, whatever that names."""


class SilentServices:
    """An `Interception` of the gateway that changes nothing; `explain` takes one sentence."""

    max_body = 8 * 1024 * 1024

    def __init__(self, explain: Callable[[str], None]) -> None:
        self._explain = explain

    def wants(self, service: str, request: Request) -> bool:
        is_data = request.headers.get("x-amz-target", "").startswith(_DATA)
        return service in _INSTEAD and request.method in ("POST", "PUT", "PATCH") and not is_data

    async def answer(self, request: Request, body: bytes, forward: Forward) -> AwsAnswer:
        found = _FUNCTION.search(unquote_to_bytes(body))
        if found is not None:
            service, _ = service_of(request)
            sentence = (
                f"{service} invokes no function here, and {found[0].decode()} is named to it: "
                "the AWS behind this endpoint only keeps what it is told."
            )
            self._explain(" ".join(filter(None, (sentence, _INSTEAD[service]))))
        return await forward(body)
