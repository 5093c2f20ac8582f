"""How many environments may work at once: the account's pool and each function's share of it.

Source: "Understanding Lambda function scaling", "Configuring reserved concurrency for a function"
and "Configuring provisioned concurrency for a function", AWS Lambda Developer Guide.
"""

from __future__ import annotations

ACCOUNT_LIMIT = 1000
MINIMUM_UNRESERVED = 100
SCALING_ENVIRONMENTS = 1000
SCALING_SECONDS = 10.0

ACCOUNT_REASON = "ConcurrentInvocationLimitExceeded"
RESERVED_REASON = "ReservedFunctionConcurrentInvocationLimitExceeded"
SCALING_REASON = "FunctionInvocationRateLimitExceeded"


class ScalingRate:
    """New environments of one function: `capacity` at once, refilled evenly over `seconds`."""

    def __init__(
        self, capacity: int = SCALING_ENVIRONMENTS, seconds: float = SCALING_SECONDS
    ) -> None:
        self._capacity = float(capacity)
        self._per_second = capacity / seconds
        self._tokens = float(capacity)
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether one more environment may start at `now`, monotonic seconds."""
        gained = max(0.0, now - self._at) * self._per_second
        self._tokens, self._at = min(self._capacity, self._tokens + gained), max(self._at, now)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Account:
    """The concurrency of one account: what is reserved or provisioned, and what is at work.

    `provisioned` is that of functions that have reserved nothing; it is in use all the time.
    """

    def __init__(self, limit: int = ACCOUNT_LIMIT) -> None:
        self.limit = limit
        self.reserved = 0
        self.provisioned = 0
        self.unreserved_in_use = 0

    @property
    def unreserved(self) -> int:
        """What no function has reserved."""
        return self.limit - self.reserved

    @property
    def free(self) -> int:
        """What has been promised to no function at all."""
        return self.unreserved - self.provisioned


class Share:
    """One function's part in the account's concurrency.

    `reserved` is None without a reservation; `provisioned` is the sum over its versions, whose
    environments work without taking from anybody else; `running` are on-demand environments at
    work.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self.reserved: int | None = None
        self.provisioned = 0
        self.running = 0

    def reserve(self, count: int | None) -> None:
        """Set the reservation, or take it back with None."""
        self._enter(-1)
        self.reserved = count
        self._enter(1)

    def provision(self, total: int) -> None:
        """Set what is provisioned over all versions."""
        self._enter(-1)
        self.provisioned = total
        self._enter(1)

    def close(self) -> None:
        """The function is gone; what still runs gives itself back."""
        self.reserve(None)
        self.provision(0)

    def take(self) -> bool:
        """Let one on-demand environment work, if there is room for it."""
        account = self._account
        if self.reserved is None:
            if account.unreserved_in_use >= account.limit - account.reserved:
                return False
            account.unreserved_in_use += 1
        elif self.running + self.provisioned >= self.reserved:
            return False
        self.running += 1
        return True

    def take_over(self) -> None:
        """A provisioned environment at work goes on as an on-demand one, whatever the limit."""
        self.running += 1
        if self.reserved is None:
            self._account.unreserved_in_use += 1

    def give_back(self) -> None:
        """One on-demand environment has stopped working."""
        self.running -= 1
        if self.reserved is None:
            self._account.unreserved_in_use -= 1

    @property
    def has_room(self) -> bool:
        """Whether one more on-demand environment may work."""
        if self.reserved is not None:
            return self.running + self.provisioned < self.reserved
        return self._account.unreserved_in_use < self._account.unreserved

    @property
    def reason(self) -> str:
        """Why there is no room, in the API's words."""
        return ACCOUNT_REASON if self.reserved is None else RESERVED_REASON

    def _enter(self, sign: int) -> None:
        if self.reserved is None:
            self._account.unreserved_in_use += sign * (self.provisioned + self.running)
            self._account.provisioned += sign * self.provisioned
        else:
            self._account.reserved += sign * self.reserved
