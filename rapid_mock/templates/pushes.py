"""What pushes events at the functions of a template, as calls of the AWS beside us.

They come last, when functions are there and served. Source: "EventSource", AWS SAM Developer Guide;
"AWS::Events::Rule" and "AWS::S3::Bucket NotificationConfiguration", CloudFormation User Guide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from rapid_mock.templates.resources import AwsCall, Properties, subscribe

_NOTIFIED = {
    "LambdaConfigurations": ("LambdaFunctionConfigurations", "Function", "LambdaFunctionArn"),
    "QueueConfigurations": ("QueueConfigurations", "Queue", "QueueArn"),
    "TopicConfigurations": ("TopicConfigurations", "Topic", "TopicArn"),
}
"""CloudFormation's name of a kind of notification; the API's; its target, there and here."""
_TARGET = ("Input", "InputPath", "InputTransformer", "DeadLetterConfig", "RetryPolicy")


class Pushes:
    """Collects them, but none to functions of which it is told that they are left out.

    What S3 is told of one bucket is one call.
    """

    def __init__(self, is_left_out: Callable[[object], bool] = lambda _: False) -> None:
        self._is_left_out = is_left_out
        self._calls: list[AwsCall] = []
        self._notifications: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self._events: dict[str, Callable[[str, str, Properties], None]] = {
            "Schedule": self._schedule,
            "EventBridgeRule": self._rule,
            "CloudWatchEvent": self._rule,
            "SNS": self._subscription,
            "S3": self._notification,
        }

    def add_event(self, kind: str, name: str, function_arn: str, said: Properties) -> bool:
        """An event of a SAM function, `name` its own; False when nothing here sends such events."""
        add = self._events.get(kind)
        if add is None or said.get("SqsSubscription"):
            return False
        add(name, function_arn, said)
        return True

    def add_rule(self, name: str, said: Properties) -> None:
        """An AWS::Events::Rule."""
        self._put_rule(said.get("Name", name), said, said.get("Targets") or [])

    def add_bucket(self, bucket: str, said: Properties) -> None:
        """A bucket with the notifications of its own."""
        for kind, configurations in (said.get("NotificationConfiguration") or {}).items():
            if kind in _NOTIFIED:
                _, member, _ = _NOTIFIED[kind]
                for each in configurations:
                    self._notify(bucket, kind, each[member], each["Event"], each.get("Filter"))

    def add_subscription(self, call: AwsCall) -> None:
        """One of a topic, which must be made where functions are known."""
        if not self._is_left_out(call.arguments.get("Endpoint")):
            self._calls.append(call)

    def calls(self) -> list[AwsCall]:
        """All of them, in order."""
        notifying = [
            AwsCall(
                "s3",
                "put_bucket_notification_configuration",
                {"Bucket": bucket, "NotificationConfiguration": configuration},
            )
            for bucket, configuration in self._notifications.items()
        ]
        return [*self._calls, *notifying]

    # --- Events of SAM ----------------------------------------------------------------------

    def _schedule(self, name: str, function_arn: str, said: Properties) -> None:
        state = said.get("State", "ENABLED" if said.get("Enabled", True) else "DISABLED")
        rule = {"ScheduleExpression": said["Schedule"], "State": state}
        self._put_rule(said.get("Name", name), rule, [_target(function_arn, said)])

    def _rule(self, name: str, function_arn: str, said: Properties) -> None:
        rule = {"EventPattern": said.get("Pattern"), "State": said.get("State", "ENABLED")}
        if said.get("EventBusName"):
            rule["EventBusName"] = said["EventBusName"]
        self._put_rule(said.get("RuleName", name), rule, [_target(function_arn, said)])

    def _subscription(self, _name: str, function_arn: str, said: Properties) -> None:
        to_function = {"TopicArn": said["Topic"], "Protocol": "lambda", "Endpoint": function_arn}
        self._calls.append(subscribe({**said, **to_function}))

    def _notification(self, _name: str, function_arn: str, said: Properties) -> None:
        kinds = said["Events"] if isinstance(said["Events"], list) else [said["Events"]]
        for kind in kinds:
            self._notify(
                said["Bucket"], "LambdaConfigurations", function_arn, kind, said.get("Filter")
            )

    # --- Calls ------------------------------------------------------------------------------

    def _put_rule(self, name: str, said: Properties, targets: list[dict[str, Any]]) -> None:
        bus = {"EventBusName": said["EventBusName"]} if said.get("EventBusName") else {}
        rule = {key: said[key] for key in ("ScheduleExpression", "State") if said.get(key)}
        if said.get("EventPattern"):
            rule["EventPattern"] = json.dumps(said["EventPattern"])
        self._calls.append(AwsCall("events", "put_rule", {"Name": name, **rule, **bus}))
        there = [target for target in targets if not self._is_left_out(target.get("Arn"))]
        if there:
            arguments = {"Rule": name, "Targets": there, **bus}
            self._calls.append(AwsCall("events", "put_targets", arguments))

    def _notify(
        self, bucket: str, kind: str, arn: str, event: str, only: Mapping[str, Any] | None
    ) -> None:
        if self._is_left_out(arn):
            return
        name, _, member = _NOTIFIED[kind]
        configuration: dict[str, Any] = {member: arn, "Events": [event]}
        rules = ((only or {}).get("S3Key") or {}).get("Rules")
        if rules:
            configuration["Filter"] = {"Key": {"FilterRules": rules}}
        self._notifications.setdefault(bucket, {}).setdefault(name, []).append(configuration)


def _target(function_arn: str, said: Properties) -> dict[str, Any]:
    kept = {key: said[key] for key in _TARGET if key in said}
    return {"Id": (said.get("Target") or {}).get("Id", "function"), "Arn": function_arn, **kept}
