"""The operations of the Lambda API on concurrency.

Source: Lambda API reference; answers as recorded from AWS.
"""

from __future__ import annotations

from typing import Any

from rapid_mock.errors import InvalidParameterValue
from rapid_mock.host.code_store import MAX_UNZIPPED_BYTES, MAX_ZIPPED_BYTES
from rapid_mock.host.functions import Functions, new_stamp
from rapid_mock.service.calls import Body, Call
from rapid_mock.service.constraints import Group, Text, Whole, check
from rapid_mock.service.functions import Function
from rapid_mock.service.names import LATEST
from rapid_mock.service.paging import page_of
from rapid_mock.service.provisioned import (
    ProvisionedConfig,
    check_provision,
    check_reserve,
    find_config,
    target_version,
)
from rapid_mock.service.settings import refuse_tenants

MAX_CODE_BYTES = 80_530_636_800
_RESERVED = Group(
    {"ReservedConcurrentExecutions": Whole(0)}, required=("ReservedConcurrentExecutions",)
)
_PROVISIONED = Group(
    {"ProvisionedConcurrentExecutions": Whole(1)}, required=("ProvisionedConcurrentExecutions",)
)
_QUALIFIED = Group({"Qualifier": Text(1, 128, r"(|[a-zA-Z0-9$_-]+)")}, required=("Qualifier",))


class ConcurrencyOperations:
    """Each method is an operation: the call in, the JSON members of the answer out."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._registry = functions.registry

    # --- Reserved ---------------------------------------------------------------------------

    def put_function_concurrency(self, call: Call) -> Body:
        share = self._functions.deployed(self._unqualified(call, LATEST)).share
        check(call.body, _RESERVED)
        count = call.body["ReservedConcurrentExecutions"]
        check_reserve(share, self._functions.account, count)
        share.reserve(count)
        return {"ReservedConcurrentExecutions": count}

    def get_function_concurrency(self, call: Call) -> Body:
        reserved = self._functions.deployed(self._unqualified(call)).share.reserved
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    def delete_function_concurrency(self, call: Call) -> Body:
        self._functions.deployed(self._unqualified(call)).share.reserve(None)
        return None

    # --- Provisioned ------------------------------------------------------------------------

    def put_provisioned(self, call: Call) -> Body:
        check(call.body, _PROVISIONED)
        function, qualifier = self._qualified(
            call,
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        )
        refuse_tenants(function.latest.settings, "Provisioned Concurrency is")
        deployed = self._functions.deployed(function.name)
        config = ProvisionedConfig(call.body["ProvisionedConcurrentExecutions"], _seconds())
        check_provision(
            function,
            qualifier,
            config.requested,
            configs=deployed.provisioned,
            share=deployed.share,
            account=self._functions.account,
        )
        deployed.provisioned[qualifier] = config
        self._functions.provision(function.name)
        return config.members(None)

    def get_provisioned(self, call: Call) -> Body:
        function, qualifier = self._published(call)
        config = find_config(self._functions.deployed(function.name).provisioned, qualifier)
        return self._members(function, qualifier, config)

    def delete_provisioned(self, call: Call) -> Body:
        function, qualifier = self._published(call)
        self._functions.deployed(function.name).provisioned.pop(qualifier, None)
        self._functions.provision(function.name)
        return None

    def list_provisioned(self, call: Call) -> Body:
        name = self._unqualified(call)
        function = self._registry.functions[name]
        shown = [
            {
                "FunctionArn": self._registry.arn(name, qualifier),
                **self._members(function, qualifier, config),
            }
            for qualifier, config in self._functions.deployed(name).provisioned.items()
        ]
        page, marker = page_of(shown, call.query, most=50)
        next_page = {} if marker is None else {"NextMarker": marker}
        return {"ProvisionedConcurrencyConfigs": list(page), **next_page}

    # --- Account ----------------------------------------------------------------------------

    def get_account_settings(self, _call: Call) -> Body:
        functions = self._registry.functions.values()
        size = sum(version.code.size for one in functions for version in one.versions.values())
        account = self._functions.account
        return {
            "AccountLimit": {
                "TotalCodeSize": MAX_CODE_BYTES,
                "CodeSizeUnzipped": MAX_UNZIPPED_BYTES,
                "CodeSizeZipped": MAX_ZIPPED_BYTES,
                "ConcurrentExecutions": account.limit,
                "UnreservedConcurrentExecutions": account.unreserved,
            },
            "AccountUsage": {
                "TotalCodeSize": size + self._functions.layers.size,
                "FunctionCount": len(functions),
            },
        }

    # --- Inside -----------------------------------------------------------------------------

    def _unqualified(self, call: Call, missed: str | None = None) -> str:
        """The function of a call about all its versions; raises ResourceNotFound for `missed`."""
        name, qualifier = self._registry.parse(call.params["function_name"], is_strict=True)
        if qualifier is not None:
            raise InvalidParameterValue(
                "This operation is permitted on Lambda functions only. Aliases and versions do not "
                "support this operation. Please specify either a function name or an unqualified "
                "function ARN."
            )
        self._registry.find(name, missed)
        return name

    def _published(self, call: Call) -> tuple[Function, str]:
        return self._qualified(
            call, "The function resource provided must be an alias or a published version."
        )

    def _qualified(self, call: Call, not_latest: str) -> tuple[Function, str]:
        """The function, and its version or alias; `not_latest` is the answer to `$LATEST`.

        Raises ResourceNotFound for what is not there, in the words for a version or an alias.
        """
        check(call.query, _QUALIFIED)
        name, given = self._registry.parse(
            call.params["function_name"], call.query["Qualifier"], is_strict=True
        )
        qualifier = given or LATEST
        if qualifier == LATEST:
            raise InvalidParameterValue(not_latest)
        return self._registry.qualified(name, qualifier), qualifier

    def _members(
        self, function: Function, qualifier: str, config: ProvisionedConfig
    ) -> dict[str, Any]:
        pools = self._functions.deployed(function.name).pools
        return config.members(pools.get(target_version(function, qualifier)))


def _seconds() -> str:
    """Now, as `2026-01-31T12:34:56+0000`."""
    moment = new_stamp().moment
    return moment[:19] + moment[-5:]
