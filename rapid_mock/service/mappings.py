"""The registry of event source mappings: states, duplicates, and the rules of changing them.

Pure: ids and times come in. A mapping that was created, updated or deleted is in transition until
the driver of its poller has followed and calls `settle`. Source: Lambda API reference; states and
texts of refusals as recorded from AWS.
"""

from __future__ import annotations

from collections.abc import Mapping as Members
from dataclasses import dataclass, replace
from typing import Any

from rapid_mock.errors import (
    InvalidParameterValue,
    ResourceConflict,
    ResourceInUse,
    ResourceNotFound,
)
from rapid_mock.service.event_source import SourceKind
from rapid_mock.service.functions import Registry
from rapid_mock.service.mapping_settings import (
    check_create,
    members_to_create,
    members_to_update,
    source_kind,
)
from rapid_mock.service.names import FunctionName
from rapid_mock.service.settings import refuse_tenants

CREATING, ENABLED, DISABLED = "Creating", "Enabled", "Disabled"
ENABLING, DISABLING, UPDATING, DELETING = "Enabling", "Disabling", "Updating", "Deleting"
SETTLED = (ENABLED, DISABLED)

NOTHING_PROCESSED = "No records processed"

_REASONS = {SourceKind.SQS: "USER_INITIATED"}
_STREAM_REASON = "User action"


@dataclass(frozen=True, slots=True)
class EventSourceMapping:
    """One mapping; `members` are what its poller is told, `modified` is in epoch seconds."""

    mapping_id: str
    kind: SourceKind
    source_arn: str
    function: FunctionName
    function_arn: str
    members: Members[str, Any]
    is_enabled: bool
    state: str
    modified: float
    last_result: str = NOTHING_PROCESSED

    def described(self, arn: str) -> dict[str, Any]:
        """The API's EventSourceMappingConfiguration; `arn` is the mapping's own."""
        result = {} if self.kind is SourceKind.SQS else {"LastProcessingResult": self.last_result}
        return {
            "UUID": self.mapping_id,
            **self.members,
            "EventSourceArn": self.source_arn,
            "FunctionArn": self.function_arn,
            "LastModified": self.modified,
            **result,
            "State": self.state,
            "StateTransitionReason": _REASONS.get(self.kind, _STREAM_REASON),
            "EventSourceMappingArn": arn,
        }


class EventSourceMappings:
    """The mappings of one account in one region, to the functions of `functions`."""

    def __init__(self, functions: Registry) -> None:
        self._functions = functions
        self._mappings: dict[str, EventSourceMapping] = {}

    def prepare(
        self, request: Members[str, Any], mapping_id: str, moment: float
    ) -> EventSourceMapping:
        """The mapping that CreateEventSourceMapping asks for, not yet added.

        The caller looks for the source in between. Raises ValidationFailed,
        InvalidParameterValue or, for a second mapping of the same source and function,
        ResourceConflict.
        """
        check_create(request)
        kind = source_kind(request.get("EventSourceArn"))
        source_arn = request["EventSourceArn"]
        members = members_to_create(request, kind)
        name, arn = self._function(request["FunctionName"])
        self._refuse_duplicate(kind, source_arn, name, arn)
        is_enabled = request.get("Enabled") is not False
        state = DISABLED if kind is SourceKind.SQS and not is_enabled else CREATING
        return EventSourceMapping(
            mapping_id, kind, source_arn, name, arn, members, is_enabled, state, moment
        )

    def add(self, mapping: EventSourceMapping) -> None:
        """Take a prepared mapping in."""
        self._mappings[mapping.mapping_id] = mapping

    def get(self, mapping_id: str) -> EventSourceMapping:
        """Raises ResourceNotFound."""
        found = self._mappings.get(mapping_id)
        if found is None:
            raise ResourceNotFound("The resource you requested does not exist.")
        return found

    def listed(
        self, source_arn: str | None = None, function_name: str | None = None
    ) -> list[EventSourceMapping]:
        """All mappings, or those of a source or a function, in the order they were made."""
        wanted = None if function_name is None else self._functions.parse(function_name)
        return [
            mapping
            for mapping in self._mappings.values()
            if source_arn in (None, mapping.source_arn)
            and (wanted is None or wanted.name == mapping.function.name)
            and (wanted is None or wanted.qualifier in (None, mapping.function.qualifier))
        ]

    def has_function(self, mapping: EventSourceMapping) -> bool:
        """Whether the function of a mapping is there; it may be deleted before its mappings."""
        return mapping.function.name in self._functions.functions

    def update(
        self, mapping_id: str, request: Members[str, Any], moment: float
    ) -> EventSourceMapping:
        """The mapping after UpdateEventSourceMapping, in transition.

        Raises ResourceNotFound, ResourceInUse in transition, or for what is refused what `prepare`
        raises.
        """
        current = self._settled(mapping_id, "update")
        source = {"EventSourceArn": current.source_arn}
        members = members_to_update({**request, **source}, current.members, current.kind)
        name, arn = current.function, current.function_arn
        if request.get("FunctionName") is not None:
            name, arn = self._function(request["FunctionName"])
        is_enabled = current.is_enabled if request.get("Enabled") is None else request["Enabled"]
        state = UPDATING
        if is_enabled != current.is_enabled:
            state = ENABLING if is_enabled else DISABLING
        updated = replace(
            current,
            function=name,
            function_arn=arn,
            members=members,
            is_enabled=is_enabled,
            state=state,
            modified=moment,
        )
        self._mappings[mapping_id] = updated
        return updated

    def delete(self, mapping_id: str, moment: float) -> EventSourceMapping:
        """The mapping, on its way out; raises ResourceNotFound or ResourceInUse."""
        current = self._settled(mapping_id, "delete")
        deleting = replace(current, state=DELETING, modified=moment)
        self._mappings[mapping_id] = deleting
        return deleting

    def settle(self, mapping_id: str) -> EventSourceMapping | None:
        """The poller has followed; the mapping as it is now, None when it is gone."""
        current = self._mappings.get(mapping_id)
        if current is None or current.state == DELETING:
            self._mappings.pop(mapping_id, None)
            return None
        settled = replace(current, state=ENABLED if current.is_enabled else DISABLED)
        self._mappings[mapping_id] = settled
        return settled

    def processed(self, mapping_id: str, result: str) -> None:
        """What became of the last batch: `OK`, `PROBLEM: Function call failed`."""
        current = self._mappings.get(mapping_id)
        if current is not None:
            self._mappings[mapping_id] = replace(current, last_result=result)

    def arn(self, mapping_id: str) -> str:
        """A mapping's own ARN."""
        region, account = self._functions.place
        return f"arn:aws:lambda:{region}:{account}:event-source-mapping:{mapping_id}"

    def _function(self, text: str) -> tuple[FunctionName, str]:
        """The function that a mapping is for, and its ARN as it was targeted."""
        name = self._functions.parse(text)
        try:
            version = self._functions.version(name.name, name.qualifier)
        except ResourceNotFound:
            raise InvalidParameterValue("Function does not exist") from None
        refuse_tenants(version.settings, "Event source mappings are")
        return name, self._functions.arn(name.name, name.qualifier)

    def _refuse_duplicate(
        self, kind: SourceKind, source_arn: str, function: FunctionName, function_arn: str
    ) -> None:
        for other in self._mappings.values():
            if (other.source_arn, other.function_arn) == (source_arn, function_arn):
                what = f'(" {source_arn} ") and function (" {function.name} ")'
                head, tail = (
                    ("An event source mapping with SQS arn", "already exists")
                    if kind is SourceKind.SQS
                    else ("The event source arn", "provided mapping already exists")
                )
                raise ResourceConflict(
                    f"{head} {what} {tail}. Please update or delete the existing mapping with "
                    f"UUID {other.mapping_id}"
                )

    def _settled(self, mapping_id: str, verb: str) -> EventSourceMapping:
        current = self.get(mapping_id)
        if current.state not in SETTLED:
            raise ResourceInUse(f"Cannot {verb} the event source mapping because it is in use.")
        return current
