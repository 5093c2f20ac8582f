"""The operations of the Lambda API on resource policies.

Source: Lambda API reference.
"""

from __future__ import annotations

from rapid_mock.host.functions import Functions, new_stamp
from rapid_mock.service.calls import Body, Call
from rapid_mock.service.policies import Policies, to_text


class PolicyOperations:
    """Each method is an operation: the call in, the JSON members of the answer out."""

    def __init__(self, functions: Functions, policies: Policies) -> None:
        self._registry = functions.registry
        self._policies = policies

    def add_permission(self, call: Call) -> Body:
        key, arn = self._named(call)
        statement = self._policies.add(key, call.body, arn, new_stamp().revision_id)
        return {"Statement": to_text(statement)}

    def get_policy(self, call: Call) -> Body:
        key, _ = self._named(call)
        return dict(self._policies.document(key))

    def remove_permission(self, call: Call) -> Body:
        key, _ = self._named(call)
        expected = call.query.get("RevisionId")
        revision_id = new_stamp().revision_id
        self._policies.remove(key, call.params["statement_id"], expected, revision_id)
        return None

    def _named(self, call: Call) -> tuple[tuple[str, str | None], str]:
        """The policy's key and the ARN of what it is about; raises ResourceNotFound."""
        qualifier = call.query.get("Qualifier")
        name, qualifier = self._registry.parse(call.params["function_name"], qualifier)
        self._registry.version(name, qualifier)
        return (name, qualifier), self._registry.arn(name, qualifier)
