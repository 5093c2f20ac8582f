"""EventBridge: functions, queues and topics are targets of rules, and are shown as they were put.

The engine gets a queue of ours in the place of each: it knows neither functions nor topics as
targets, nor `Input` and `InputPath`, and all events fit a rule without a pattern for it.
Source: Amazon EventBridge API reference.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rapid_mock.errors import RequestError, ServiceError
from rapid_mock.http.exchange import Request
from rapid_mock.http.gateway import AwsAnswer, Forward
from rapid_mock.service.names import Place
from rapid_mock.service.push_triggers import RULE, PushTrigger
from rapid_mock.service.schedule import parse_schedule
from rapid_mock.triggers.push import PushTriggers
from rapid_mock.triggers.rules import Rules
from rapid_mock.triggers.targets import REACHED, service_of

_TARGET = "AWSEvents."
_PASSED_ON = ("logs", "events")
"""Targets that the engine itself delivers to."""
_JSON = [("Content-Type", "application/x-amz-json-1.1")]
Json = dict[str, Any]


class RuleCalls:
    """An `Interception` of the gateway for EventBridge."""

    max_body = 2 * 1024 * 1024

    def __init__(self, triggers: PushTriggers, rules: Rules, place: Place) -> None:
        self._triggers = triggers
        self._rules = rules
        self._place = place
        self._operations: dict[str, Callable[[Json, Forward], Any]] = {
            "PutRule": self._put_rule,
            "EnableRule": self._change_rule,
            "DisableRule": self._change_rule,
            "DeleteRule": self._delete_rule,
            "PutTargets": self._put_targets,
            "RemoveTargets": self._remove_targets,
            "ListTargetsByRule": self._list_targets,
            "ListRuleNamesByTarget": self._list_rule_names,
        }

    def wants(self, service: str, request: Request) -> bool:
        return service == RULE and _operation(request) in self._operations

    async def answer(self, request: Request, body: bytes, forward: Forward) -> AwsAnswer:
        try:
            members = json.loads(body)
        except ValueError:
            return await forward(body)
        try:
            answer: AwsAnswer = await self._operations[_operation(request)](members, forward)
        except ServiceError as refusal:
            shown = {"__type": refusal.type_name, "message": str(refusal)}
            return AwsAnswer(refusal.status, _JSON, json.dumps(shown).encode())
        return answer

    # --- Rules ------------------------------------------------------------------------------

    async def _put_rule(self, members: Json, forward: Forward) -> AwsAnswer:
        if members.get("ScheduleExpression"):
            parse_schedule(members["ScheduleExpression"], 0)
        return await self._change_rule(members, forward)

    async def _change_rule(self, members: Json, forward: Forward) -> AwsAnswer:
        answer = await _forward(members, forward)
        if answer.status == 200:
            await self._rules.learn(members["Name"], members.get("EventBusName"))
        return answer

    async def _delete_rule(self, members: Json, forward: Forward) -> AwsAnswer:
        answer = await _forward(members, forward)
        if answer.status == 200:
            arn = self._rule_arn(members["Name"], members)
            self._rules.forget(arn)
            await self._triggers.drop(lambda each: each.source_arn == arn)
        return answer

    # --- Targets ----------------------------------------------------------------------------

    async def _put_targets(self, members: Json, forward: Forward) -> AwsAnswer:
        rule_arn = self._rule_arn(members.get("Rule", ""), members)
        before = [each.queue_name for each in self._triggers.of(RULE, rule_arn)]
        made, told = [], []
        for target in members.get("Targets", []):
            service = service_of(target.get("Arn", ""))
            if service not in (*REACHED, *_PASSED_ON):
                raise Untargetable(target.get("Arn", ""))
            if service in _PASSED_ON:
                told.append(target)
                continue
            trigger = PushTrigger(RULE, rule_arn, target["Id"], target["Arn"], target)
            made.append(trigger)
            told.append({"Id": target["Id"], "Arn": await self._triggers.put(trigger)})
        answer = await _forward({**members, "Targets": told}, forward)
        if answer.status != 200:
            new = [each.queue_name for each in made if each.queue_name not in before]
            await self._triggers.drop(lambda each: each.queue_name in new)
        else:
            ids = {target["Id"] for target in told} - {each.name for each in made}
            await self._drop_targets(rule_arn, ids)
        return answer

    async def _remove_targets(self, members: Json, forward: Forward) -> AwsAnswer:
        answer = await _forward(members, forward)
        if answer.status == 200:
            rule_arn = self._rule_arn(members["Rule"], members)
            await self._drop_targets(rule_arn, set(members["Ids"]))
        return answer

    async def _drop_targets(self, rule_arn: str, ids: set[str]) -> None:
        await self._triggers.drop(
            lambda each: each.kind == RULE and each.source_arn == rule_arn and each.name in ids
        )

    async def _list_targets(self, members: Json, forward: Forward) -> AwsAnswer:
        answer = await _forward(members, forward)
        if answer.status != 200:
            return answer
        shown = json.loads(answer.body)
        shown["Targets"] = [self._as_put(target) for target in shown["Targets"]]
        return replace(answer, body=json.dumps(shown).encode())

    async def _list_rule_names(self, members: Json, forward: Forward) -> AwsAnswer:
        answer = await _forward(members, forward)
        if answer.status != 200:
            return answer
        shown = json.loads(answer.body)
        bus = self._rule_arn("", members)
        ours = {
            each.source_arn.rpartition("/")[2]
            for each in self._triggers.of(RULE)
            if each.target_arn == members.get("TargetArn")
            and each.source_arn.rpartition("/")[0] == bus.rpartition("/")[0]
        }
        shown["RuleNames"] = [*shown["RuleNames"], *sorted(ours - set(shown["RuleNames"]))]
        return replace(answer, body=json.dumps(shown).encode())

    def _as_put(self, target: Json) -> Json:
        trigger = self._triggers.at(target["Arn"])
        return target if trigger is None else dict(trigger.members)

    def _rule_arn(self, name: str, members: Json) -> str:
        bus = (members.get("EventBusName") or "default").rpartition("/")[2]
        path = name if bus == "default" else f"{bus}/{name}"
        return f"arn:aws:events:{self._place.region}:{self._place.account}:rule/{path}"


class Untargetable(RequestError):
    """Raised for a target that nobody here delivers to (400)."""

    type_name = "ValidationException"

    def __init__(self, arn: str) -> None:
        super().__init__(
            f"Parameter {arn} is not valid. Reason: the local Lambda delivers the events of rules "
            "to functions, queues, topics, log groups and buses only."
        )


def _operation(request: Request) -> str:
    return request.headers.get("x-amz-target", "").removeprefix(_TARGET)


async def _forward(members: Json, forward: Forward) -> AwsAnswer:
    return await forward(json.dumps(members).encode())
