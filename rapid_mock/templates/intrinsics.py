"""Intrinsic functions of CloudFormation, as far as they can be resolved on this machine.

Source: "Intrinsic function reference" and "Condition functions", AWS CloudFormation User Guide.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from lambda_runtime import contract
from rapid_mock.errors import SetupError
from rapid_mock.templates.qualifiers import FIRST, VERSION, function_of, qualifier_of

REGION, ACCOUNT, STACK = contract.DEFAULT_REGION, contract.DEFAULT_ACCOUNT_ID, "local"
_PSEUDO: dict[str, Any] = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": STACK,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/0",
    "AWS::NotificationARNs": [],
}
_SAM_FUNCTION = "AWS::Serverless::Function"
_BESIDE = ("Alias", "Version", "Url", "Role", "EventInvokeConfig")
_SAM_APIS = ("ServerlessRestApi", "ServerlessHttpApi")
_NAME_MEMBERS = ("FunctionName", "TableName", "BucketName", "QueueName", "TopicName", "Name")
_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")


def _arn(function: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"


def _parameter(said: Mapping[str, Any], given: str | None) -> Any:
    """Its value; lists come as texts with commas."""
    value = said.get("Default", "") if given is None else given
    kind = str(said.get("Type"))
    is_list = kind == "CommaDelimitedList" or kind.startswith("List<")
    return [each.strip() for each in str(value).split(",")] if is_list else value


class NoValue:
    """`AWS::NoValue`: the member that has it is not there."""


class Scope:
    """What a template's values refer to; `given` overrides the parameters' defaults.

    `notes` is told what cannot be known here. `known` gives the values of a resource, by its type
    and name, that `Ref` and `Fn::GetAtt` have.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        notes: Callable[[str], None],
        given: Mapping[str, str] | None = None,
        known: Callable[[str, str], Mapping[str, str]] = lambda _kind, _name: {},
    ) -> None:
        self.resources: Mapping[str, Any] = template["Resources"]
        self._mappings = template.get("Mappings") or {}
        self._conditions = template.get("Conditions") or {}
        self._note = notes
        self._known = known
        self._parameters = {
            name: _parameter(said or {}, (given or {}).get(name))
            for name, said in (template.get("Parameters") or {}).items()
        }
        for name, said in (template.get("Parameters") or {}).items():
            if "Default" not in (said or {}) and name not in (given or {}):
                notes(f"parameter {name} has no default and no --parameter: it is empty")
        self.layers: dict[str, str] = {}
        self._path: list[str] = []
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self.ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": lambda said: str(said[0]).join(map(str, self.resolve(said[1]))),
            "Fn::Split": lambda said: str(self.resolve(said[1])).split(said[0]),
            "Fn::Select": lambda said: self.resolve(said[1])[int(self.resolve(said[0]))],
            "Fn::FindInMap": self._find_in_map,
            "Fn::If": lambda said: self.resolve(said[1 if self.holds(said[0]) else 2]),
            "Fn::Base64": lambda said: base64.b64encode(str(self.resolve(said)).encode()).decode(),
        }

    def resolve(self, value: Any) -> Any:
        """A value with its functions called; raises SetupError for one that makes no sense."""
        if isinstance(value, list):
            return [each for each in map(self.resolve, value) if each is not NoValue]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, said), *_ = value.items()
            function = self._functions.get(name)
            if function is not None:
                return self._called(name, function, said)
            if name.startswith("Fn::"):
                self._note(f"{self._place}: {name} is not resolved here, its argument is the value")
                return str(said)
        resolved = {name: self.resolve_at(name, each) for name, each in value.items()}
        return {name: each for name, each in resolved.items() if each is not NoValue}

    def resolve_at(self, member: str, value: Any) -> Any:
        """The same for what sentences call by the member's name, below what is being resolved."""
        self._path.append(member)
        try:
            return self.resolve(value)
        finally:
            self._path.pop()

    def properties_of(self, logical_id: str) -> dict[str, Any]:
        """Those of a resource."""
        properties = self.resources[logical_id].get("Properties") or {}
        resolved: dict[str, Any] = self.resolve_at(logical_id, properties)
        return resolved

    @property
    def _place(self) -> str:
        return ".".join(self._path)

    def is_made(self, logical_id: str) -> bool:
        """Whether a resource has no condition, or one that holds."""
        resource = self.resources[logical_id]
        if "Condition" not in resource:
            return True
        return bool(self.resolve_at(logical_id, {"Fn::If": [resource["Condition"], True, False]}))

    def holds(self, condition: Any) -> bool:
        """Whether a condition, or one of this name, holds."""
        if isinstance(condition, str):
            if condition not in self._conditions:
                raise SetupError(f"{self._place}: there is no condition {condition}")
            return self.holds(self._conditions[condition])
        (name, said), *_ = condition.items()
        if name == "Condition":
            return self.holds(said)
        if name == "Fn::Equals":
            left, right = self.resolve(said)
            return bool(left == right or str(left) == str(right))
        if name == "Fn::Not":
            return not self.holds(said[0])
        if name in ("Fn::And", "Fn::Or"):
            found = [self.holds(each) for each in said]
            return all(found) if name == "Fn::And" else any(found)
        raise SetupError(f"{self._place}: {name} is no condition")

    def ref(self, name: str) -> Any:
        """A parameter's value, or the name of a resource."""
        if name == "AWS::NoValue":
            return NoValue
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self._parameters:
            return self._parameters[name]
        if name in self.layers:
            return self.layers[name]
        return self._made_by_sam(name) if name not in self.resources else self._named(name)

    def _named(self, name: str) -> str:
        """What identifies a resource of the template."""
        resource = self.resources[name]
        qualifier = qualifier_of(resource, self.resolve)
        if qualifier is not None:
            return f"{_arn(function_of(resource, self.resolve))}:{qualifier}"
        return self.known_of(name).get("Ref", self.name_of(name))

    def _made_by_sam(self, name: str) -> str:
        """A resource that SAM makes beside those of the template; raises SetupError for others."""
        functions = [
            logical_id
            for logical_id, resource in self.resources.items()
            if resource.get("Type") == _SAM_FUNCTION
        ]
        beside = any(name.startswith(f"{each}{what}") for each in functions for what in _BESIDE)
        if not beside and not name.startswith(_SAM_APIS):
            raise SetupError(f"{self._place}: there is no parameter or resource {name}")
        self._note(f"{name}, which SAM would make, is not known here")
        return name

    def known_of(self, logical_id: str) -> Mapping[str, str]:
        """What is known of a resource beside its name."""
        kind = self.resources[logical_id].get("Type", "")
        return self._known(kind, self.name_of(logical_id))

    def name_of(self, logical_id: str) -> str:
        """What a resource is called: as its properties say, else as the template calls it.

        Names of buckets have no capitals.
        """
        properties = self.resources[logical_id].get("Properties") or {}
        for member in _NAME_MEMBERS:
            if member in properties:
                return str(self.resolve(properties[member]))
        is_bucket = self.resources[logical_id].get("Type") == "AWS::S3::Bucket"
        return logical_id.lower() if is_bucket else logical_id

    def _called(self, name: str, function: Callable[[Any], Any], said: Any) -> Any:
        try:
            return function(said)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
            place = self._place
            raise SetupError(f"{place}: {name} cannot be resolved with {said!r}") from error

    def _get_att(self, said: Any) -> Any:
        logical_id, attribute = said.split(".", 1) if isinstance(said, str) else said
        if logical_id not in self.resources:
            return f"{self._made_by_sam(logical_id)}.{attribute}"
        kind = self.resources[logical_id].get("Type", "")
        if attribute == "Arn" and kind in (_SAM_FUNCTION, "AWS::Lambda::Function"):
            return _arn(self.name_of(logical_id))
        if attribute == "Version" and kind == VERSION:
            return FIRST
        if attribute in (known := self.known_of(logical_id)):
            return known[attribute]
        self._note(f"{logical_id}.{attribute} is not known here")
        return f"{logical_id}.{attribute}"

    def _sub(self, said: Any) -> str:
        text, given = (said, {}) if isinstance(said, str) else said
        values = {name: self.resolve(value) for name, value in given.items()}

        def replaced(match: re.Match[str]) -> str:
            literal, name = match[1], match[2].strip()
            if literal:
                return f"${{{name}}}"
            if name in values:
                return str(values[name])
            return str(self._get_att(name) if "." in name else self.ref(name))

        return _VARIABLE.sub(replaced, text)

    def _find_in_map(self, said: Any) -> Any:
        name, first, second = (self.resolve(each) for each in said[:3])
        return self._mappings[name][str(first)][str(second)]
