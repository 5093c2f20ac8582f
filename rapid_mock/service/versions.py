"""One version of a function: its configuration, its code, its state, and how the API shows them.

Source: Lambda API reference, "FunctionConfiguration"; "Lambda function states", AWS Lambda
Developer Guide; reasons as recorded from AWS.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from rapid_mock.service.names import LATEST

PENDING, ACTIVE, FAILED = "Pending", "Active", "Failed"
IN_PROGRESS, SUCCESSFUL = "InProgress", "Successful"

_CREATING = ("The function is being created.", "Creating")


class Stamp(NamedTuple):
    """What comes in with every change: a fresh revision id, and the moment as the API shows it."""

    revision_id: str
    moment: str


class Failure(NamedTuple):
    """Why a version could not be deployed: a sentence, and the API's reason code."""

    reason: str
    code: str


@dataclass(frozen=True, slots=True)
class Code:
    """A deployment package: base64 SHA-256, bytes, and where the host keeps it.

    `unzipped`: its content in bytes, 0 for a directory that is used in place.
    """

    sha256: str
    size: int
    place: str
    unzipped: int = 0


@dataclass(frozen=True, slots=True)
class Condition:
    """A version's state, and how its last update went (None before the first).

    `reason` and `code` belong to the update while that is unfinished or has failed, else to the
    state.
    """

    state: str
    update: str | None = None
    reason: str | None = None
    code: str | None = None

    def members(self) -> dict[str, str]:
        """As the API shows it; what is not set is left out."""
        prefix = "LastUpdateStatus" if self.update in (IN_PROGRESS, FAILED) else "State"
        members = {
            "State": self.state,
            "LastUpdateStatus": self.update,
            f"{prefix}Reason": self.reason,
            f"{prefix}ReasonCode": self.code,
        }
        return {name: value for name, value in members.items() if value is not None}


CREATED = Condition(PENDING, None, *_CREATING)
UPDATING = Condition(ACTIVE, IN_PROGRESS, *_CREATING)
READY = Condition(ACTIVE, SUCCESSFUL)


@dataclass(frozen=True, slots=True)
class Version:
    """A version: `$LATEST`, or a number and immutable but for its state.

    `settings` are members of the API's FunctionConfiguration; `origin` those of `$LATEST` when this
    was published.
    """

    name: str
    number: str
    settings: Mapping[str, Any]
    code: Code
    stamp: Stamp
    condition: Condition = CREATED
    origin: Mapping[str, Any] | None = None

    def settled(self, stamp: Stamp, failure: Failure | None) -> Version:
        """Deployed, or not: pending becomes active or failed, an update successful or failed."""
        condition = READY
        if failure is not None:
            is_new = self.condition.state == PENDING
            state, update = (FAILED, None) if is_new else (ACTIVE, FAILED)
            condition = Condition(state, update, failure.reason, failure.code)
        stamp = Stamp(stamp.revision_id, self.stamp.moment)
        return replace(self, condition=condition, stamp=stamp)

    def is_deployed_as(self, other: Version) -> bool:
        """Whether deploying one is deploying the other: these very settings and this very code."""
        return self.settings is other.settings and self.code is other.code

    def is_still(self, latest: Version) -> bool:
        """Whether neither code nor configuration have changed since this was published."""
        return self.code.sha256 == latest.code.sha256 and self.origin == latest.settings


def describe(version: Version, arn: str, *, is_brief: bool = False) -> dict[str, Any]:
    """The API's FunctionConfiguration; lists are brief: without state and runtime version."""
    settings = dict(version.settings)
    settings["Timeout"] = math.ceil(settings["Timeout"])
    settings["SnapStart"] = {**settings["SnapStart"], "OptimizationStatus": "Off"}
    members = {
        "FunctionName": version.name,
        "FunctionArn": arn,
        **settings,
        "CodeSize": version.code.size,
        "CodeSha256": version.code.sha256,
        "LastModified": version.stamp.moment,
        "Version": version.number,
        "RevisionId": version.stamp.revision_id,
    }
    if is_brief:
        return members
    runtime = {"RuntimeVersionArn": _runtime_version(settings["Runtime"], arn)}
    return {**members, "RuntimeVersionConfig": runtime, **version.condition.members()}


def _runtime_version(runtime: str, function_arn: str) -> str:
    """AWS's form, with a digest of nothing but the runtime's name."""
    region = function_arn.split(":")[3]
    return f"arn:aws:lambda:{region}::runtime:{hashlib.sha256(runtime.encode()).hexdigest()}"


def is_number(qualifier: str) -> bool:
    """Whether a qualifier names a published version."""
    return qualifier.isascii() and qualifier.isdigit()


def sort_key(number: str) -> tuple[bool, int]:
    """`$LATEST` first, then by number."""
    return number != LATEST, 0 if number == LATEST else int(number)
