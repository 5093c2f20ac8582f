"""What a rule's target gets: the event, a part of it, a constant text, or a template filled in.

Source: "Amazon EventBridge target input" and "Amazon EventBridge input transformation", EventBridge
User Guide. A variable whose path leads nowhere stays empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]|\['([^']+)'\]")
_TOKEN = re.compile(r'<([A-Za-z0-9._-]+)>|"|\\.')
_NOTHING = object()

Reserved = Mapping[str, Any]
"""The variables that a template has without naming a path, by name: `aws.events.rule-arn` ..."""


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], reserved: Reserved) -> str:
    """The JSON text for a target of PutTargets (`Input`, `InputPath`, `InputTransformer`)."""
    if target.get("Input") is not None:
        return str(target["Input"])
    transformer = target.get("InputTransformer")
    if transformer is not None:
        paths = transformer.get("InputPathsMap") or {}
        variables = {name: find(event, path) for name, path in paths.items()}
        whole = {"aws.events.event": _without_detail(event), "aws.events.event.json": event}
        return _filled(transformer["InputTemplate"], {**reserved, **whole, **variables})
    found = find(event, target.get("InputPath") or "$")
    return json.dumps({} if found is _NOTHING else found, separators=(",", ":"))


def reserved_variables(rule_arn: str, ingested: str) -> Reserved:
    """The variables about the rule; `ingested` is the moment of ingestion as ISO 8601."""
    return {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rpartition("/")[2],
        "aws.events.event.ingestion-time": ingested,
    }


def find(event: Any, path: str) -> Any:
    """What a path such as `$.detail.items[0]` leads to; a private mark when it leads nowhere."""
    value, position = event, 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return _NOTHING
        position = step.end()
        name = step[1] or step[3]
        if name is not None and isinstance(value, Mapping) and name in value:
            value = value[name]
        elif step[2] is not None and isinstance(value, list) and int(step[2]) < len(value):
            value = value[int(step[2])]
        else:
            return _NOTHING
    return value


def _filled(template: str, variables: Mapping[str, Any]) -> str:
    """Variables inside quotes become parts of that string, others JSON values."""
    parts: list[str] = []
    position, is_quoted = 0, False
    for token in _TOKEN.finditer(template):
        parts.append(template[position : token.start()])
        position = token.end()
        if token[0] == '"':
            is_quoted = not is_quoted
        if token[1] in variables:
            parts.append(_spelled(variables[token[1]], is_quoted=is_quoted))
        else:
            parts.append(token[0])
    return "".join([*parts, template[position:]])


def _spelled(value: Any, *, is_quoted: bool) -> str:
    if value is _NOTHING:
        value = ""
    if not is_quoted:
        return json.dumps(value, separators=(",", ":"))
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return json.dumps(text)[1:-1]


def _without_detail(event: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "detail"}
