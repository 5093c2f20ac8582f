"""Limits of the account and its functions, provisioned environments, several versions at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_mock.errors import InvalidParameterValue
from rapid_mock.service.concurrency import Account, ScalingRate, Share
from rapid_mock.service.functions import Function, Registry
from rapid_mock.service.names import Place
from rapid_mock.service.placement import Placement
from rapid_mock.service.pools import (
    Assign,
    Availability,
    Decision,
    Launch,
    Pool,
    Prepare,
    Retire,
    Throttle,
)
from rapid_mock.service.provisioned import check_provision, check_reserve
from rapid_mock.service.versions import Code, Stamp

ACCOUNT = "ConcurrentInvocationLimitExceeded"
RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"
RATE = "FunctionInvocationRateLimitExceeded"


def came_back(placement: Placement, environment: int) -> list[Decision]:
    placement.finished(environment)
    return placement.changed(environment, Availability.IDLE)


# --- Limits ---------------------------------------------------------------------------------


def test_the_account_limit_is_everybodys() -> None:
    """Two functions share the account's limit; who comes above it hears the account's reason."""
    account = Account(limit=2)
    first, second = Placement(Share(account)), Placement(Share(account))
    pool = Pool("$LATEST")
    assert first.submit("a", pool, 0.0) == [Launch("a", 1, pool)]
    other = Pool("$LATEST")
    assert second.submit("b", other, 0.0) == [Launch("b", 1, other)]
    assert first.submit("c", pool, 0.0) == [Throttle("c", ACCOUNT)]
    came_back(second, 1)
    assert first.submit("d", pool, 0.0) == [Launch("d", 2, pool)]


def test_a_reservation_is_ceiling_and_guarantee() -> None:
    """A function has what it reserved, not more, also when the others use up all the rest."""
    account = Account(limit=3)
    mine, theirs = Share(account), Share(account)
    mine.reserve(1)
    busy = Placement(theirs)
    pool = Pool("$LATEST")
    for name, taken in (("a", True), ("b", True), ("c", False)):
        (decision,) = busy.submit(name, pool, 0.0)
        assert isinstance(decision, Launch) == taken
    reserved = Placement(mine)
    assert isinstance(reserved.submit("d", pool, 0.0)[0], Launch)
    assert reserved.submit("e", pool, 0.0) == [Throttle("e", RESERVED)]


def test_a_reservation_of_none_stops_a_function() -> None:
    """With 0 reserved nothing runs, though an environment is idle."""
    share = Share(Account())
    placement, pool = Placement(share), Pool("$LATEST")
    placement.submit("a", pool, 0.0)
    came_back(placement, 1)
    share.reserve(0)
    assert placement.submit("b", pool, 0.0) == [Throttle("b", RESERVED)]


def test_an_environment_that_returns_is_waited_for_at_the_limit() -> None:
    """At the limit an invocation of another version waits for room until the other is back."""
    share = Share(Account())
    share.reserve(1)
    placement, one, two = Placement(share), Pool("1"), Pool("2")
    placement.submit("a", one, 0.0)
    assert placement.submit("b", two, 0.0) == [Throttle("b", RESERVED)]
    placement.changed(1, Availability.RETURNING)
    assert placement.submit("c", two, 0.0) == []
    assert came_back(placement, 1) == [Launch("c", 2, two)]


def test_new_environments_come_at_the_scaling_rate() -> None:
    """Above the rate the reason is the rate's; idle environments need none; time brings more."""
    placement = Placement(Share(Account()), scaling=ScalingRate(2, seconds=10.0))
    pool = Pool("$LATEST")
    decisions = [placement.submit(name, pool, 0.0)[0] for name in "abc"]
    assert decisions == [Launch("a", 1, pool), Launch("b", 2, pool), Throttle("c", RATE)]
    came_back(placement, 1)
    assert placement.submit("d", pool, 0.0) == [Assign("d", 1)]
    assert placement.submit("e", pool, 4.9) == [Throttle("e", RATE)]
    assert placement.submit("f", pool, 5.1) == [Launch("f", 3, pool)]
    assert [placement.submit(name, pool, 9e9)[0] for name in "ghi"][2] == Throttle("i", RATE)


# --- Provisioned ----------------------------------------------------------------------------


def provisioned(count: int, reserved: int | None = None) -> tuple[Placement, Pool, Share]:
    share = Share(Account())
    share.provision(count)
    share.reserve(reserved)
    placement, pool = Placement(share), Pool("1")
    decisions = placement.provision(pool, count)
    assert decisions == [Prepare(n, pool, is_provisioned=True) for n in range(1, count + 1)]
    for number in range(1, count + 1):
        placement.changed(number, Availability.IDLE)
    assert pool.ready == count
    return placement, pool, share


def test_provisioned_environments_come_first_then_it_spills_over() -> None:
    """Provisioned environments are used first; when all are at work, on-demand ones start."""
    placement, pool, _ = provisioned(2)
    assert placement.submit("a", pool, 0.0) == [Assign("a", 2)]
    assert placement.submit("b", pool, 0.0) == [Assign("b", 1)]
    assert placement.submit("c", pool, 0.0) == [Launch("c", 3, pool)]
    came_back(placement, 3)
    came_back(placement, 1)
    assert placement.submit("d", pool, 0.0) == [Assign("d", 1)]


def test_one_that_still_starts_takes_nothing() -> None:
    """Until it has been initialised, invocations go to on-demand environments."""
    placement, pool = Placement(Share(Account())), Pool("1")
    placement.provision(pool, 1)
    assert placement.submit("a", pool, 0.0) == [Launch("a", 2, pool)]


def test_a_reservation_that_is_all_provisioned_leaves_nothing() -> None:
    """When all that is reserved is provisioned for one version, the others are throttled."""
    placement, pool, _ = provisioned(2, reserved=2)
    assert placement.submit("a", Pool("$LATEST"), 0.0) == [Throttle("a", RESERVED)]
    assert placement.submit("b", pool, 0.0) == [Assign("b", 2)]


def test_less_provisioned_ends_the_idle_and_who_works_afterwards() -> None:
    """Idle surplus ends at once; one at work is counted as on-demand, and ends when it is back."""
    placement, pool, share = provisioned(2)
    placement.submit("a", pool, 0.0)
    share.provision(0)
    assert placement.provision(pool, 0) == [Retire(1)]
    assert (share.running, pool.ready) == (1, 0)
    placement.finished(2)
    assert placement.changed(2, Availability.RETURNING) == []
    assert placement.submit("b", pool, 0.0) == [Launch("b", 3, pool)]
    assert placement.changed(2, Availability.IDLE) == [Retire(2)]
    assert (share.running, pool.count) == (1, 1)


def test_a_lost_provisioned_environment_is_replaced() -> None:
    """One that ended is started anew; one that could not be initialised is not."""
    placement, pool, _ = provisioned(1)
    assert placement.gone(1) == [Prepare(2, pool, is_provisioned=True)]
    assert placement.gone(2) == []


def function_with_version_1() -> Function:
    made = Registry(Place("us-east-1", "123456789012")).create(
        "f", {}, Code("", 1, ""), Stamp("r", "m")
    )
    made.versions["1"] = made.latest
    return made


def test_what_is_promised_to_all_functions_together_is_limited() -> None:
    """Of 1,000, what others have provisioned or reserved can be promised to nobody else."""
    account = Account()
    mine, provisioned, reserved = Share(account), Share(account), Share(account)
    provisioned.provision(500)
    reserved.reserve(100)
    function = function_with_version_1()

    def check(count: int) -> None:
        check_provision(function, "1", count, configs={}, share=mine, account=account)

    check(300)
    check_reserve(mine, account, 300)
    with pytest.raises(InvalidParameterValue, match=r"below its minimum value of \[100\]"):
        check(301)
    with pytest.raises(InvalidParameterValue, match=r"unreserved concurrency \[400\]"):
        check(401)
    with pytest.raises(InvalidParameterValue, match=r"below its minimum value of \[100\]"):
        check_reserve(mine, account, 301)
    check_reserve(provisioned, account, 800)
    provisioned.reserve(500)
    check(300)
    assert (account.free, account.provisioned) == (400, 0)


# --- Ends of environments -------------------------------------------------------------------


def test_unused_environments_are_reaped() -> None:
    """What was not used between two reapings ends; provisioned and lasting ones stay."""
    placement, pool, _ = provisioned(1)
    lasting = Pool("2", is_lasting=True)
    placement.prepare(lasting)
    placement.submit("a", pool, 0.0)
    placement.submit("b", pool, 0.0)
    came_back(placement, 3)
    came_back(placement, 1)
    assert placement.reap() == []
    assert placement.reap() == [Retire(3)]
    assert placement.reap() == []


def test_use_between_two_reapings_saves_an_environment() -> None:
    """An environment that was used is not reaped the next time."""
    placement, pool = Placement(Share(Account())), Pool("$LATEST")
    placement.submit("a", pool, 0.0)
    for _ in range(3):
        came_back(placement, 1)
        assert placement.reap() == []
        assert placement.submit("b", pool, 0.0) == [Assign("b", 1)]


def test_a_retired_pool_ends_when_its_work_is_done() -> None:
    """Idle environments end at once, others when they are back; who waited is served before."""
    placement, pool = Placement(Share(Account())), Pool("$LATEST", limit=2)
    placement.submit("a", pool, 0.0)
    placement.submit("b", pool, 0.0)
    came_back(placement, 1)
    assert placement.retire(pool) == [Retire(1)]
    placement.changed(2, Availability.RETURNING)
    assert placement.submit("c", pool, 0.0) == []
    assert came_back(placement, 2) == [Assign("c", 2)]
    assert came_back(placement, 2) == [Retire(2)]


# --- All together ---------------------------------------------------------------------------


@dataclass
class World:
    """Two functions of two versions each in one account, and all that was decided."""

    account: Account = field(default_factory=lambda: Account(limit=4))
    functions: list[Placement] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    pools: list[list[Pool]] = field(default_factory=list)
    work: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    owner: dict[tuple[int, int], Pool] = field(default_factory=dict)
    starting: set[tuple[int, int]] = field(default_factory=set)
    wanted: dict[str, Pool] = field(default_factory=dict)
    decided: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for _ in range(2):
            self.shares.append(Share(self.account))
            self.functions.append(Placement(self.shares[-1]))
            self.pools.append([Pool("1"), Pool("2")])

    def submit(self, function: int, name: str, version: int, now: float) -> None:
        pool = self.wanted[name] = self.pools[function][version]
        self.take(function, self.functions[function].submit(name, pool, now))

    def take(self, function: int, decisions: list[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, Prepare):
                place = (function, decision.environment)
                self.work[place], self.owner[place] = [], decision.pool
                self.starting.add(place)
            elif isinstance(decision, Retire):
                place = (function, decision.environment)
                assert self.work.pop(place) == [], "one that works is ended"
                self.starting.discard(place)
            else:
                self.place(function, decision)

    def place(self, function: int, decision: Assign | Launch | Throttle) -> None:
        name = decision.request_id
        self.decided[name] = self.decided.get(name, 0) + 1
        if isinstance(decision, Throttle):
            return
        place = (function, decision.environment)
        if isinstance(decision, Launch):
            ready = self.wanted[name].provisioned_idle
            assert not ready, "an environment is started though a provisioned one is idle"
            self.work[place], self.owner[place] = [], decision.pool
        assert self.owner[place] is self.wanted[name], "another version serves the invocation"
        assert place not in self.starting
        self.work[place].append(name)
        assert len(self.work[place]) == 1
        if place[1] not in self.owner[place].provisioned:
            assert self.owner[place].provisioned_idle == [], "provisioned ones come first"
            self.check_limits(function)

    def on_demand(self, function: int) -> int:
        return sum(
            bool(work)
            for place, work in self.work.items()
            if place[0] == function and place[1] not in self.owner[place].provisioned
        )

    def check_limits(self, function: int) -> None:
        """One more has begun to work on demand: it fits beside what is promised."""
        share, account = self.shares[function], self.account
        if share.reserved is None:
            assert account.unreserved_in_use + account.reserved <= account.limit
        else:
            assert share.running + share.provisioned <= share.reserved

    def check(self) -> None:
        """What works on demand is what is counted."""
        unreserved = 0
        for number, share in enumerate(self.shares):
            assert share.running == self.on_demand(number)
            there = sum(len(pool.provisioned) for pool in self.pools[number])
            assert there <= share.provisioned
            if share.reserved is None:
                unreserved += share.running + share.provisioned
        assert unreserved == self.account.unreserved_in_use
        assert self.account.reserved == sum(share.reserved or 0 for share in self.shares)

    def reserve(self, function: int, count: int | None) -> None:
        """Reserve what may be reserved, or nothing any more."""
        share = self.shares[function]
        held = share.provisioned if share.reserved is None else share.reserved
        if count is None or share.provisioned <= count <= self.account.free + held:
            share.reserve(count)

    def provision(self, function: int, count: int) -> None:
        """Promise a version what may be promised, and no more than that."""
        share = self.shares[function]
        free = self.account.free + share.provisioned if share.reserved is None else share.reserved
        if count <= free:
            share.provision(count)
            pool = self.pools[function][0]
            self.take(function, self.functions[function].provision(pool, count))


OTHER_STEPS = ["return", "end", "ready", "retire", "reap", "reserve", "provision"]
STEPS = st.tuples(
    st.sampled_from(["submit"] * 10 + ["back"] * 10 + OTHER_STEPS),
    st.sampled_from([0, 0, 0, 0, 0, 1]),
    st.sampled_from([0, 0, 2, 2, 4, 6, 1, 3, 5]),
)


SCRIPTS = st.lists(STEPS, min_size=20, max_size=80)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([None, 0, 1, 2]), st.integers(0, 2), SCRIPTS)
def test_no_limit_is_exceeded_and_nothing_is_lost(
    reserved: int | None, promised: int, script: list[tuple[str, int, int]]
) -> None:
    """Whatever happens, each invocation gets one decision, by its own version, within all limits.

    Provisioned environments come first; none that works is ended. Reservations and promises come
    and go meanwhile.
    """
    world = World()
    world.reserve(0, reserved)
    world.provision(0, promised)
    for place in list(world.starting):
        step(world, "ready", place)
    now = 0.0
    for count, (action, function, choice) in enumerate(script):
        now += 0.03
        placement = world.functions[function]
        if action == "submit":
            world.submit(function, f"r{count}", choice % 2, now)
        elif action == "reap":
            world.take(function, placement.reap())
        elif action == "reserve":
            world.reserve(function, choice % 4 or None)
        elif action == "provision":
            world.provision(function, choice % 4)
        elif action == "retire":
            world.take(function, placement.retire(world.pools[function][choice % 2]))
            world.pools[function][choice % 2] = Pool("new")
        elif known := sorted(place for place in world.work if place[0] == function):
            step(world, action, known[choice % len(known)])
        world.check()
        world.take(function, placement.handle_timeout(now))
        world.check()
    for function, placement in enumerate(world.functions):
        world.take(function, placement.handle_timeout(now + 1.0))
    world.check()
    assert world.decided == dict.fromkeys(world.wanted, 1)


def step(world: World, action: str, place: tuple[int, int]) -> None:
    placement = world.functions[place[0]]
    if place in world.starting:
        if action == "ready":
            world.starting.discard(place)
            world.take(place[0], placement.changed(place[1], Availability.IDLE))
    elif action == "end":
        del world.work[place]
        world.take(place[0], placement.gone(place[1]))
    elif world.work[place] and action == "return":
        world.take(place[0], placement.changed(place[1], Availability.RETURNING))
    elif world.work[place] and action == "back":
        world.work[place].pop()
        world.take(place[0], came_back(placement, place[1]))


@pytest.mark.parametrize("callers", [50])
def test_fifty_callers_get_what_is_there(callers: int) -> None:
    """Reserved 10, 4 of it provisioned: of fifty at once exactly 4 and 6 run, 40 are throttled."""
    placement, pool, _ = provisioned(4, reserved=10)
    decisions = [placement.submit(str(n), pool, 0.0)[0] for n in range(callers)]
    kinds = [type(decision) for decision in decisions]
    assert kinds == [Assign] * 4 + [Launch] * 6 + [Throttle] * 40
