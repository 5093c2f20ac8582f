"""An environment whose runtime comes by itself: what is told, and when."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from rapid_mock.functions import UNLIMITED_SECONDS
from rapid_mock.host.attach import AttachedDriver, variables_to_set
from rapid_mock.host.launch import Launch
from rapid_mock.lifecycle import events as happened
from rapid_mock.lifecycle.effects import InvocationDelivered
from rapid_mock.lifecycle.state import Phase
from tests.support.driven import World, respond, run


def _attached(wanted: list[Launch], **settings: Any) -> dict[str, Any]:
    return {
        "kind": partial(AttachedDriver, on_wanted=wanted.append),
        "timeout": UNLIMITED_SECONDS,
        "init_timeout": UNLIMITED_SECONDS,
        **settings,
    }


def test_half_a_minute_at_a_breakpoint(tmp_path: Path) -> None:
    """An answer that takes 30 s is an answer; so does a runtime that takes as long to come."""

    async def scenario(world: World) -> None:
        world.driver.dispatch(happened.InitRequested())
        world.clock.advance(30.0)
        poll = world.call(happened.RuntimeNext)
        world.invoke("a")
        assert isinstance(world.replies[poll], InvocationDelivered)
        world.clock.advance(30.0)
        await respond(world, "a")
        world.call(happened.RuntimeNext)

    world = run(tmp_path, scenario, **_attached([]))
    assert world.outcomes["a"].status == "success"
    assert world.finishes["a"][0].duration_ms == 30_000


def test_runtime_that_comes_early_waits_for_the_extensions(tmp_path: Path) -> None:
    """A poll before every extension has registered is no error: it waits for its turn."""

    async def scenario(world: World) -> None:
        poll = world.call(happened.RuntimeNext)  # and this begins the init
        assert world.phases == [Phase.INIT]
        world.call(lambda e: happened.ExtensionRegistered(e, "shipper", (), "id"))
        world.call(lambda e: happened.ExtensionNext(e, "id"))
        assert world.phases[-1] is Phase.IDLE
        world.invoke("a")
        assert isinstance(world.replies[poll], InvocationDelivered)

    wanted: list[Launch] = []
    run(tmp_path, scenario, **_attached(wanted, extensions=("shipper",)))
    assert wanted == [], "the runtime was there already"


def test_early_runtime_that_left_again_is_wanted(tmp_path: Path) -> None:
    """A poll whose client went away before its turn does not count as a runtime."""

    async def scenario(world: World) -> None:
        world.driver.vanished(world.call(happened.RuntimeNext))
        world.call(lambda e: happened.ExtensionRegistered(e, "shipper", (), "id"))

    wanted: list[Launch] = []
    run(tmp_path, scenario, **_attached(wanted, extensions=("shipper",)))
    assert len(wanted) == 1


def test_shutdown_does_not_wait_for_a_runtime_that_went_away(tmp_path: Path) -> None:
    """A runtime that answered and never asked again holds a shutdown up for two seconds."""

    async def scenario(world: World) -> None:
        world.call(happened.RuntimeNext)
        world.invoke("a")
        await respond(world, "a")
        world.driver.dispatch(happened.ShutdownRequested("spindown"))
        world.clock.advance(1.9)
        assert [phase.name for phase in world.phases[-1:]] == ["INVOKE"]
        world.clock.advance(0.1)

    world = run(tmp_path, scenario, **_attached([]))
    assert world.outcomes["a"].payload == b"ok"
    assert world.phases[-1] is Phase.GONE


def test_refused_init_error_ends_nobody(tmp_path: Path) -> None:
    """An init error out of turn is refused, and the runtime that reported it serves on."""

    async def scenario(world: World) -> None:
        world.call(happened.RuntimeNext)
        world.call(lambda e: happened.RuntimeInitFailed(e, "Runtime.Oops", b"{}"))
        assert world.driver.phase is Phase.IDLE

    run(tmp_path, scenario, **_attached([]))


def test_variables_leave_out_what_the_machine_says() -> None:
    """PATH, HOME and their like are the developer's own."""
    launch = Launch((), "/", {"PATH": "/bin", "HOME": "/root", "TMPDIR": "/tmp", "_HANDLER": "a.b"})
    assert variables_to_set(launch) == {"_HANDLER": "a.b"}
