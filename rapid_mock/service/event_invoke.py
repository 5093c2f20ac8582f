"""How the events of asynchronous invocations are handled: retries, age, destinations.

Source: Lambda API reference, "PutFunctionEventInvokeConfig"; texts as recorded from AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rapid_mock.errors import InvalidParameterValue, ResourceNotFound
from rapid_mock.service.constraints import Constraint, Group, Text, Whole, check

MAX_RETRIES, MAX_AGE_SECONDS = 2, 6 * 3600
_TARGET = Group({"Destination": Text(0, 350)})
_MEMBERS: dict[str, Constraint] = {
    "MaximumRetryAttempts": Whole(0, 2),
    "MaximumEventAgeInSeconds": Whole(60, 21600),
    "DestinationConfig": Group({"OnSuccess": _TARGET, "OnFailure": _TARGET}),
}
_GROUP = Group(_MEMBERS)
_SERVICES = ("lambda", "sqs", "sns", "events", "s3")
_LOCAL = ("http", "https", "file", "callable")
_BUCKET, _FUNCTION = "arn:aws:s3:::", "arn:aws:lambda:"
Key = tuple[str, str | None]
"""A function and the qualifier of its configuration; None is the function itself."""


@dataclass(frozen=True, slots=True)
class EventInvokeConfig:
    """What was said for one qualifier; None where nothing was. Ages in seconds."""

    function_arn: str
    modified: float
    retries: int | None = None
    max_age: int | None = None
    on_success: str | None = None
    on_failure: str | None = None

    def members(self) -> dict[str, Any]:
        """As the API shows it; `LastModified` in epoch seconds."""
        destinations = {
            "OnFailure": {"Destination": self.on_failure} if self.on_failure else {},
            "OnSuccess": {"Destination": self.on_success} if self.on_success else {},
        }
        return {
            "DestinationConfig": destinations,
            "FunctionArn": self.function_arn,
            "LastModified": self.modified,
            **({} if self.retries is None else {"MaximumRetryAttempts": self.retries}),
            **({} if self.max_age is None else {"MaximumEventAgeInSeconds": self.max_age}),
        }


class EventInvokeConfigs:
    """Every configuration; a missing one has AWS's defaults."""

    def __init__(self) -> None:
        self._configs: dict[Key, EventInvokeConfig] = {}

    def get(self, key: Key) -> EventInvokeConfig | None:
        return self._configs.get(key)

    def find(self, key: Key, arn: str) -> EventInvokeConfig:
        """Raises ResourceNotFound."""
        found = self._configs.get(key)
        if found is None:
            raise ResourceNotFound(f"The function {arn} doesn't have an EventInvokeConfig")
        return found

    def put(
        self,
        key: Key,
        body: Mapping[str, Any],
        arn: str,
        now: float,
        *,
        is_merge: bool,
        is_there: Callable[[str], bool],
    ) -> EventInvokeConfig:
        """Replace a configuration, or with `is_merge` change it; `now` in epoch seconds.

        `is_there` knows functions by their ARN.
        Raises ValidationFailed, InvalidParameterValue; for a merge also ResourceNotFound.
        """
        check(body, _GROUP)
        if all(body.get(member) is None for member in _MEMBERS):
            raise InvalidParameterValue(
                "You must specify at least one of error handling or destination setting."
            )
        base = self.find(key, arn) if is_merge else EventInvokeConfig(arn, now)
        targets = body.get("DestinationConfig") or {}
        made = replace(
            base,
            modified=now,
            retries=body.get("MaximumRetryAttempts", base.retries),
            max_age=body.get("MaximumEventAgeInSeconds", base.max_age),
            on_success=_destination(targets, "OnSuccess", base.on_success),
            on_failure=_destination(targets, "OnFailure", base.on_failure),
        )
        _check_destinations(made)
        own = arn.removesuffix(":$LATEST")
        if own in (made.on_success, made.on_failure):
            raise InvalidParameterValue(
                "You can't specify the function as a destination for itself."
            )
        for target in (made.on_success, made.on_failure):
            if target is not None and target.startswith(_FUNCTION) and not is_there(target):
                raise InvalidParameterValue(f"The destination ARN {target} is invalid.")
        self._configs[key] = made
        return made

    def delete(self, key: Key, arn: str) -> None:
        """Raises ResourceNotFound."""
        self.find(key, arn)
        del self._configs[key]

    def of(self, name: str) -> list[EventInvokeConfig]:
        """The configurations of a function."""
        return [config for key, config in self._configs.items() if key[0] == name]

    def forget(self, name: str) -> None:
        """A function was deleted."""
        self._configs = {key: each for key, each in self._configs.items() if key[0] != name}


def _check_destinations(config: EventInvokeConfig) -> None:
    success, failure = config.on_success, config.on_failure
    if all(each is None or _may_take(each) for each in (success, failure)) and not (
        success and success.startswith(_BUCKET)
    ):
        return
    shown = (
        "null" if success is None else f"OnSuccess(destination={success})",
        "null" if failure is None else f"OnFailure(destination={failure})",
    )
    raise InvalidParameterValue(
        f"The provided destination config DestinationConfig(onSuccess={shown[0]}, "
        f"onFailure={shown[1]}) is invalid."
    )


def _may_take(destination: str) -> bool:
    """Services of AWS by their ARN, and what is ours: URLs, files, callables."""
    parts = destination.split(":")
    if parts[0] == "arn":
        return len(parts) >= 6 and parts[2] in _SERVICES
    return parts[0] in _LOCAL


def _destination(targets: Mapping[str, Any], which: str, before: str | None) -> str | None:
    if which not in targets:
        return before
    return (targets[which] or {}).get("Destination") or None
