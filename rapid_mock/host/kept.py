"""The operations of the Lambda API on settings that are kept and shown, and change nothing here.

Tools that deploy functions ask for them: recursive loops, updates of the runtime, code signing.
Source: Lambda API reference; answers as recorded from AWS.
"""

from __future__ import annotations

from rapid_mock.host.functions import Functions
from rapid_mock.service.calls import Body, Call
from rapid_mock.service.constraints import Choice, Group, check

_RECURSION = Group({"RecursiveLoop": Choice(("Terminate", "Allow"))}, required=("RecursiveLoop",))
_UPDATES = Group(
    {"UpdateRuntimeOn": Choice(("Auto", "Manual", "FunctionUpdate"))}, required=("UpdateRuntimeOn",)
)


class KeptSettings:
    """Each method is an operation: the call in, the JSON members of the answer out."""

    def __init__(self, functions: Functions) -> None:
        self._registry = functions.registry

    def get_recursion(self, call: Call) -> Body:
        name, _ = self._parsed(call)
        return {"RecursiveLoop": self._registry.find(name).recursive_loop}

    def put_recursion(self, call: Call) -> Body:
        check(call.body, _RECURSION)
        name, _ = self._parsed(call)
        self._registry.find(name).recursive_loop = call.body["RecursiveLoop"]
        return {"RecursiveLoop": call.body["RecursiveLoop"]}

    def get_runtime_management(self, call: Call) -> Body:
        name, qualifier = self._parsed(call)
        updates = self._registry.find(name).runtime_updates.get(qualifier, "Auto")
        return {"UpdateRuntimeOn": updates, "FunctionArn": self._registry.arn(name, qualifier)}

    def put_runtime_management(self, call: Call) -> Body:
        check(call.body, _UPDATES)
        name, qualifier = self._parsed(call)
        self._registry.find(name).runtime_updates[qualifier] = call.body["UpdateRuntimeOn"]
        return self.get_runtime_management(call)

    def get_code_signing(self, call: Call) -> Body:
        name, _ = self._parsed(call)
        self._registry.find(name)
        return {}

    def _parsed(self, call: Call) -> tuple[str, str | None]:
        return self._registry.parse(call.params["function_name"], call.query.get("Qualifier"))
