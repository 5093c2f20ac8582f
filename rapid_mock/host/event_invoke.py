"""The operations of the Lambda API on the configuration of asynchronous invocations.

Source: Lambda API reference.
"""

from __future__ import annotations

from collections.abc import Callable

from rapid_mock.errors import ResourceNotFound
from rapid_mock.host.functions import Functions
from rapid_mock.service.calls import Body, Call
from rapid_mock.service.event_invoke import EventInvokeConfigs, Key
from rapid_mock.service.names import LATEST
from rapid_mock.service.paging import page_of


class EventInvokeOperations:
    """Each method is an operation: the call in, the JSON members of the answer out."""

    def __init__(
        self, functions: Functions, configs: EventInvokeConfigs, wall: Callable[[], float]
    ) -> None:
        self._registry = functions.registry
        self._configs = configs
        self._wall = wall

    def put_config(self, call: Call) -> Body:
        return self._put(call, is_merge=False)

    def update_config(self, call: Call) -> Body:
        return self._put(call, is_merge=True)

    def get_config(self, call: Call) -> Body:
        return self._configs.find(*self._named(call)).members()

    def delete_config(self, call: Call) -> Body:
        self._configs.delete(*self._named(call))
        return None

    def list_configs(self, call: Call) -> Body:
        name, _ = self._registry.parse(call.params["function_name"], None)
        shown = [config.members() for config in self._configs.of(name)]
        page, marker = page_of(shown, call.query, most=50)
        following = {} if marker is None else {"NextMarker": marker}
        return {"FunctionEventInvokeConfigs": list(page), **following}

    def _put(self, call: Call, *, is_merge: bool) -> Body:
        key, arn = self._named(call)
        if key[0] not in self._registry.functions:
            raise ResourceNotFound("The function doesn't exist.")
        config = self._configs.put(
            key, call.body, arn, self._wall(), is_merge=is_merge, is_there=self._is_there
        )
        return config.members()

    def _is_there(self, arn: str) -> bool:
        """Whether there is such a function, with such a qualifier."""
        name, qualifier = self._registry.parse(arn, None)
        try:
            self._registry.version(name, qualifier)
        except ResourceNotFound:
            return False
        return True

    def _named(self, call: Call) -> tuple[Key, str]:
        qualifier = call.query.get("Qualifier")
        name, qualifier = self._registry.parse(call.params["function_name"], qualifier)
        if qualifier == LATEST:
            qualifier = None
        return (name, qualifier), self._registry.arn(name, qualifier or LATEST)
