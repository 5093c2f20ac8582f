"""The operations of the Lambda API on resource policies.

Source: Lambda API reference; answers as recorded from AWS.
"""

from __future__ import annotations

from rapid_mock.errors import ResourceNotFound
from rapid_mock.host.functions import Functions, new_stamp
from rapid_mock.service.calls import Body, Call
from rapid_mock.service.names import FunctionName
from rapid_mock.service.policies import Policies, check_permission, to_text


class PolicyOperations:
    """Each method is an operation: the call in, the JSON members of the answer out."""

    def __init__(self, functions: Functions, policies: Policies) -> None:
        self._registry = functions.registry
        self._policies = policies

    def add_permission(self, call: Call) -> Body:
        name, qualifier = key = self._parsed(call)
        check_permission(call.body, qualifier)
        function = self._registry.qualified(name, qualifier)
        statement = self._policies.add(
            key,
            call.body,
            self._registry.arn(name, qualifier),
            before=function.revision_id(qualifier),
            revision_id=new_stamp().revision_id,
        )
        return {"Statement": to_text(statement)}

    def get_policy(self, call: Call) -> Body:
        return dict(self._policies.document(self._parsed(call)))

    def remove_permission(self, call: Call) -> Body:
        name, qualifier = key = self._parsed(call)
        if name not in self._registry.functions:
            raise ResourceNotFound(f"No policy found for: {self._registry.arn(name, qualifier)}")
        self._registry.qualified(name, qualifier)
        expected = call.query.get("RevisionId")
        revision_id = new_stamp().revision_id
        self._policies.remove(key, call.params["statement_id"], expected, revision_id)
        return None

    def _parsed(self, call: Call) -> FunctionName:
        return self._registry.parse(call.params["function_name"], call.query.get("Qualifier"))
