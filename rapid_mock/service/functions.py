"""The registry: functions with their versions and aliases, and the rules of changing them.

Pure: code, times and revision ids come in with each change; who deploys what was changed is told by
what each change returns. Source: Lambda API reference; "Manage Lambda function versions", AWS
Lambda Developer Guide; texts of refusals as recorded from AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rapid_mock.errors import (
    InvalidParameterValue,
    PreconditionFailed,
    ResourceConflict,
    ResourceNotFound,
)
from rapid_mock.service.aliases import Alias
from rapid_mock.service.names import LATEST, FunctionName, Place, function_arn, parse_function_name
from rapid_mock.service.versions import (
    CREATED,
    IN_PROGRESS,
    PENDING,
    READY,
    UPDATING,
    Code,
    Failure,
    Stamp,
    Version,
    is_number,
    sort_key,
)

_STALE = (
    "The Revision Id provided does not match the latest Revision Id. Call the "
    "GetFunction/GetAlias API to retrieve the latest Revision Id"
)


@dataclass(slots=True)
class Function:
    """A function: `versions` by number, `$LATEST` among them; numbers are never used twice.

    `recursive_loop` and `runtime_updates` (by qualifier) are kept and shown.
    """

    name: str
    versions: dict[str, Version]
    aliases: dict[str, Alias] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    last_number: int = 0
    recursive_loop: str = "Terminate"
    runtime_updates: dict[str | None, str] = field(default_factory=dict)

    @property
    def latest(self) -> Version:
        return self.versions[LATEST]

    def revision_id(self, qualifier: str | None) -> str:
        """That of the function, a version or an alias, which must be there."""
        alias = self.aliases.get(qualifier or "")
        return alias.revision_id if alias else self.versions[qualifier or LATEST].stamp.revision_id

    def in_order(self) -> list[Version]:
        """`$LATEST`, then by number."""
        return [self.versions[number] for number in sorted(self.versions, key=sort_key)]


class Registry:
    """The functions of one account in one region."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.functions: dict[str, Function] = {}

    # --- Finding ----------------------------------------------------------------------------

    def parse(
        self, text: str, qualifier: str | None = None, *, is_strict: bool = False
    ) -> FunctionName:
        """Split what a caller gave as a function's name; see `parse_function_name`."""
        return parse_function_name(text, qualifier, place=self.place, is_strict=is_strict)

    def arn(self, name: str, qualifier: str | None = None) -> str:
        return function_arn(name, qualifier, place=self.place)

    def find(self, name: str, qualifier: str | None = None) -> Function:
        """The function; raises ResourceNotFound that names it, with `qualifier` if there is one."""
        function = self.functions.get(name)
        if function is None:
            raise self._missing(name, qualifier)
        return function

    def qualified(self, name: str, qualifier: str | None) -> Function:
        """The function, which has this version or alias.

        Raises ResourceNotFound in the words for what is missing.
        """
        function = self.functions.get(name)
        if qualifier is None:
            return self.find(name)
        if function and (qualifier in function.versions or qualifier in function.aliases):
            return function
        if is_number(qualifier) or "$" in qualifier:
            raise self._missing(name, qualifier)
        raise ResourceNotFound(f"Cannot find alias arn: {self.arn(name, qualifier)}")

    def version(self, name: str, qualifier: str | None, dice: float = 1.0) -> Version:
        """The version that a qualifier means; raises ResourceNotFound.

        `dice`, evenly distributed over [0, 1), chooses between the versions of an alias; without it
        an alias means its first.
        """
        function = self.find(name, qualifier)
        if qualifier in function.aliases:
            qualifier = function.aliases[qualifier].pick(dice)
        version = function.versions.get(qualifier or LATEST)
        if version is None:
            raise self._missing(name, qualifier)
        return version

    def alias(self, name: str, alias: str) -> Alias:
        """Raises ResourceNotFound as GetAlias does."""
        found = self.find(name).aliases.get(alias)
        if found is None:
            raise ResourceNotFound(f"Cannot find alias arn: {self.arn(name, alias)}")
        return found

    # --- Changing functions -----------------------------------------------------------------

    def check_new(self, name: str) -> None:
        """Raise ResourceConflict when there is a function of this name."""
        if name in self.functions:
            raise ResourceConflict(f"Function already exist: {name}")

    def create(self, name: str, settings: Mapping[str, Any], code: Code, stamp: Stamp) -> Function:
        """A new function whose `$LATEST` is pending until `settle`."""
        self.check_new(name)
        latest = Version(name, LATEST, settings, code, stamp, CREATED)
        function = self.functions[name] = Function(name, {LATEST: latest})
        return function

    def check_update(self, name: str, revision_id: str | None = None) -> Version:
        """`$LATEST`, if it may be changed now.

        Raises ResourceNotFound, ResourceConflict while it is being deployed, or PreconditionFailed
        for another revision.
        """
        latest = self.find(name).latest
        if latest.condition.state == PENDING:
            raise not_now(latest)
        if latest.condition.update == IN_PROGRESS:
            raise ResourceConflict(
                "The operation cannot be performed at this time. An update is in progress for "
                f"resource: {self.arn(name)}"
            )
        check_revision(latest.stamp.revision_id, revision_id)
        return latest

    def update(
        self, name: str, stamp: Stamp, *, settings: Mapping[str, Any] | None, code: Code | None
    ) -> Version:
        """Change `$LATEST`; the update is in progress until `settle`."""
        latest = self.check_update(name)
        changed = replace(
            latest,
            settings=latest.settings if settings is None else settings,
            code=latest.code if code is None else code,
            stamp=stamp,
            condition=UPDATING,
        )
        self.functions[name].versions[LATEST] = changed
        return changed

    def settle(self, version: Version, stamp: Stamp, failure: Failure | None = None) -> bool:
        """A version was deployed, or could not be; False when it is no longer there."""
        function = self.functions.get(version.name)
        current = function.versions.get(version.number) if function is not None else None
        if function is None or current is None or not current.is_deployed_as(version):
            return False
        function.versions[version.number] = current.settled(stamp, failure)
        return True

    def delete(self, name: str) -> Function:
        """Take a function away with all its versions and aliases."""
        function = self.find(name)
        del self.functions[name]
        return function

    # --- Versions ---------------------------------------------------------------------------

    def publish(
        self,
        name: str,
        stamp: Stamp,
        *,
        latest_revision_id: str,
        description: str | None = None,
        code_sha256: str | None = None,
    ) -> tuple[Version, bool]:
        """A version of `$LATEST` as it is, and whether it is new: unchanged content is not.

        A new one is ready when `$LATEST` is, else pending until `settle`. `$LATEST` gets
        `latest_revision_id`. Raises InvalidParameterValue for another code.
        """
        function = self.find(name)
        latest = function.latest
        if code_sha256 and code_sha256 != latest.code.sha256:
            raise InvalidParameterValue(
                f"CodeSHA256 ({code_sha256}) is different from current CodeSHA256 in {LATEST} "
                f"({latest.code.sha256}). Please try again with the CodeSHA256 in {LATEST}."
            )
        last = function.versions.get(str(function.last_number))
        if last is not None and last.is_still(latest):
            return last, False
        function.last_number += 1
        settings = dict(latest.settings)
        if description is not None:
            settings["Description"] = description
        published = Version(
            name,
            str(function.last_number),
            settings,
            latest.code,
            stamp,
            READY if latest.condition == READY else CREATED,
            latest.settings,
        )
        function.versions[published.number] = published
        stamp = Stamp(latest_revision_id, latest.stamp.moment)
        function.versions[LATEST] = replace(latest, stamp=stamp)
        return published, True

    def delete_version(self, name: str, qualifier: str) -> Version | None:
        """Take one version away; None when there was none of this number.

        Raises InvalidParameterValue for `$LATEST` and aliases, ResourceConflict for a version that
        an alias points to.
        """
        if qualifier == LATEST:
            raise InvalidParameterValue(
                f"{LATEST} version cannot be deleted without deleting the function."
            )
        function = self.find(name)
        if not is_number(qualifier):
            raise InvalidParameterValue("Deletion of aliases is not currently supported.")
        users = [alias for alias in function.aliases.values() if qualifier in alias.versions]
        if users:
            arns = ", ".join(self.arn(name, alias.name) for alias in users)
            raise ResourceConflict(f"Unable to delete version because these aliases use it: {arns}")
        return function.versions.pop(qualifier, None)

    # --- Aliases ----------------------------------------------------------------------------

    def add_alias(self, name: str, alias: Alias) -> None:
        """Raises ResourceConflict for a taken name, ResourceNotFound for unknown versions."""
        function = self.find(name, alias.version)
        if alias.name in function.aliases:
            raise ResourceConflict(f"Alias already exists: {self.arn(name, alias.name)}")
        self.put_alias(function, alias)

    def alias_to_change(self, name: str, alias: str, revision_id: str | None) -> Alias:
        """The alias for UpdateAlias; raises ResourceNotFound or PreconditionFailed."""
        found = self.find(name).aliases.get(alias)
        if found is None:
            raise ResourceNotFound(f"Alias not found: {self.arn(name, alias)}")
        check_revision(found.revision_id, revision_id)
        return found

    def put_alias(self, function: Function, alias: Alias) -> None:
        """Set an alias; raises ResourceNotFound for a version that is not there."""
        for number in alias.versions:
            if number not in function.versions:
                raise self._missing(function.name, number)
        function.aliases[alias.name] = alias

    def _missing(self, name: str, qualifier: str | None) -> ResourceNotFound:
        return ResourceNotFound(f"Function not found: {self.arn(name, qualifier)}")


def not_now(version: Version) -> ResourceConflict:
    """The refusal of what cannot be done in a version's state."""
    return ResourceConflict(
        "The operation cannot be performed at this time. The function is currently in the "
        f"following state: {version.condition.state}"
    )


def check_revision(current: str, expected: str | None) -> None:
    """Raise PreconditionFailed when `expected` is given and is not `current`."""
    if expected and expected != current:
        raise PreconditionFailed(_STALE)
