"""The concurrency that versions and aliases have been promised, and how far it is there.

Source: "Configuring provisioned concurrency for a function", AWS Lambda Developer Guide; Lambda API
reference, "PutProvisionedConcurrencyConfig"; texts as recorded from AWS. A weighted alias has its
provisioned concurrency with its first version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rapid_mock.errors import (
    InvalidParameterValue,
    ProvisionedConcurrencyConfigNotFound,
    ResourceConflict,
    Untyped,
)
from rapid_mock.service.concurrency import MINIMUM_UNRESERVED, Account, Share
from rapid_mock.service.functions import Function
from rapid_mock.service.names import LATEST
from rapid_mock.service.pools import Pool

IN_PROGRESS, READY, FAILED = "IN_PROGRESS", "READY", "FAILED"


@dataclass(frozen=True, slots=True)
class ProvisionedConfig:
    """What was asked for, and when: `2026-01-31T12:34:56+0000`."""

    requested: int
    moment: str

    def members(self, pool: Pool | None) -> dict[str, Any]:
        """As the API shows it; `pool` is its version's, None while that is being deployed."""
        available = 0 if pool is None or pool.has_failed else min(pool.ready, self.requested)
        members = {
            "RequestedProvisionedConcurrentExecutions": self.requested,
            "AvailableProvisionedConcurrentExecutions": available,
            "AllocatedProvisionedConcurrentExecutions": available,
            "Status": READY if available == self.requested else IN_PROGRESS,
            "LastModified": self.moment,
        }
        if pool is not None and pool.has_failed:
            members |= {"Status": FAILED, "StatusReason": "FUNCTION_ERROR_INIT_FAILURE"}
        return members


def target_version(function: Function, qualifier: str) -> str:
    """The version whose environments a qualifier's configuration provisions."""
    alias = function.aliases.get(qualifier)
    return qualifier if alias is None else alias.version


def targets(function: Function, configs: Mapping[str, ProvisionedConfig]) -> Counter[str]:
    """How many environments each version has been promised."""
    wanted: Counter[str] = Counter()
    for qualifier, config in configs.items():
        wanted[target_version(function, qualifier)] += config.requested
    return wanted


def find_config(configs: Mapping[str, ProvisionedConfig], qualifier: str) -> ProvisionedConfig:
    """Raises ProvisionedConcurrencyConfigNotFound."""
    if qualifier not in configs:
        raise ProvisionedConcurrencyConfigNotFound(
            "No Provisioned Concurrency Config found for this function"
        )
    return configs[qualifier]


def check_provision(
    function: Function,
    qualifier: str,
    count: int,
    *,
    configs: Mapping[str, ProvisionedConfig],
    share: Share,
    account: Account,
) -> None:
    """Raise what AWS answers when a qualifier cannot be promised `count` environments."""
    _check_target(function, qualifier, configs)
    others = sum(config.requested for name, config in configs.items() if name != qualifier)
    if share.reserved is not None:
        if others + count > share.reserved:
            raise InvalidParameterValue(
                "Requested Provisioned Concurrency should not be greater than the "
                "reservedConcurrentExecution for function"
            )
        return
    free = account.free + share.provisioned - others
    if count > free:
        raise Untyped(
            "Specified ConcurrentExecutions for function is greater than account's unreserved "
            f"concurrency [{free}]."
        )
    if free - count < MINIMUM_UNRESERVED:
        raise Untyped(
            "Specified ConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{MINIMUM_UNRESERVED}]."
        )


def _check_target(
    function: Function, qualifier: str, configs: Mapping[str, ProvisionedConfig]
) -> None:
    version = target_version(function, qualifier)
    if version == LATEST:
        raise InvalidParameterValue(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        )
    if qualifier in function.aliases:
        if function.aliases[qualifier].weights:
            raise InvalidParameterValue(
                "Alias with weights can not be used with Provisioned Concurrency"
            )
        if version in configs:
            raise ResourceConflict(
                "Alias can't be used for Provisioned Concurrency configuration on an already "
                "Provisioned version"
            )
    elif any(target_version(function, name) == version for name in configs if name != qualifier):
        raise ResourceConflict("Version is pointed by a Provisioned Concurrency alias")


def check_reserve(share: Share, account: Account, count: int) -> None:
    """Raise what AWS answers when a function cannot reserve `count`."""
    if count < share.provisioned:
        raise Untyped(
            f" ReservedConcurrentExecutions  {count} should not be lower than function's total "
            f"provisioned concurrency [{share.provisioned}]."
        )
    held = share.provisioned if share.reserved is None else share.reserved
    if account.free + held - count < MINIMUM_UNRESERVED:
        raise Untyped(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{MINIMUM_UNRESERVED}]."
        )
