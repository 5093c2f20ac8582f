"""What the recorder saw beside the exchanges, seen again here and told in its words."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tests.support.exchanges import Answer
from tests.support.placeholders import Bindings
from tests.support.recorded import ANYTHING, Step

if TYPE_CHECKING:
    from tests.support.puppets import Puppet
    from tests.support.replay import Replay
    from tests.support.replay_calls import Call

GONE_SECONDS = 5.0
LINES_SECONDS = 2.0
TOLERANCE_MS = 150
RUNTIME = "bootstrap"
NOISE = {"PWD", "SHLVL", "_", "OLDPWD", "LC_CTYPE"}
"""What a shell, or Python without a locale, adds to a child's variables."""


async def observe(replay: Replay, step: Step) -> str:
    """Look, and say it as the recorder did."""
    if step.action == "arguments":
        return str(_process(replay, RUNTIME).arguments)
    if step.action == "lines" and step.detail != ANYTHING:
        return await _lines(replay, step)
    if step.action == "lines":
        return ""
    for pattern, look in _LOOKS:
        if re.fullmatch(pattern, step.detail):
            return await look(replay, step)
    return "nothing: no such observation is known"


def differing_variables(
    expected: dict[str, str], found: dict[str, str], bindings: Bindings
) -> list[str]:
    """The variables that are not what was expected, one sentence each."""
    return [
        f"{name} is {found.get(name)!r}, expected {expected.get(name)!r}"
        for name in sorted(expected.keys() | found.keys())
        if name not in expected
        or name not in found
        or not bindings.matches(expected[name], found[name])
    ]


def is_about(expected: str, found: str, bindings: Bindings) -> bool:
    """Whether two observations say the same; long numbers are milliseconds, nearly the same."""
    if bindings.matches(expected, found):
        return True
    numbers = [[int(text) for text in re.findall(r"\d{3,}", each)] for each in (expected, found)]
    texts = [re.sub(r"\d{3,}", "#", each) for each in (expected, found)]
    return texts[0] == texts[1] and all(
        abs(one - other) <= TOLERANCE_MS for one, other in zip(*numbers, strict=True)
    )


# --- Looking ------------------------------------------------------------------------------------


def _calls(replay: Replay, actor: str, end_of_path: str) -> list[Call]:
    return [
        call
        for call in replay.calls
        if re.fullmatch(actor, call.step.actor)
        and call.step.request is not None
        and call.step.request.path.endswith(end_of_path)
    ]


def _process(replay: Replay, name: str) -> Puppet:
    return next(puppet for puppet in reversed(replay.stage.puppets) if puppet.name == name)


async def _gone(replay: Replay, name: str) -> Puppet:
    puppet = _process(replay, name)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(puppet.gone.wait(), GONE_SECONDS)
    return puppet


async def _lines(replay: Replay, step: Step) -> str:
    """The platform's lines; they may come a moment after the answers."""
    expected = len(step.detail.splitlines())
    deadline = asyncio.get_running_loop().time() + LINES_SECONDS
    while True:
        lines = [line.removesuffix("\n") for line in replay.served.log]
        seen = [line for line in lines if re.match("(START|END|REPORT) RequestId: ", line)]
        if len(seen) >= expected or asyncio.get_running_loop().time() > deadline:
            return "\n".join(seen)
        await asyncio.sleep(0.01)


async def _server(replay: Replay, _step: Step) -> str:
    code = await replay.served.end() if replay.was_signalled else replay.served.exit_code
    return "alive=True" if code is None else f"exit_code={code}"


async def _deadline(replay: Replay, _step: Step) -> str:
    call = _calls(replay, "runtime", "/next")[0]
    assert isinstance(call.found, Answer)
    deadline = int(call.found.header("Lambda-Runtime-Deadline-Ms") or 0)
    return f"deadline_minus_now_s={round(deadline / 1000 - call.wall_time)}"


async def _two_polls(replay: Replay, _step: Step) -> str:
    first, second = _calls(replay, "runtime", "/next")[-2:]
    return f"first_waiting_next_done={await first.is_done()} second_done={await second.is_done()}"


def _is_done(actor: str, path: str) -> Callable[[Replay, Step], Awaitable[str]]:
    """The last such call: whether it has ended, in the words of the recording."""

    async def look(replay: Replay, step: Step) -> str:
        done = await _calls(replay, actor, path)[-1].is_done()
        return re.sub("(True|False)$", str(done), step.detail)

    return look


async def _runtime_count(replay: Replay, _step: Step) -> str:
    return f"runtime_processes={sum(p.name == RUNTIME for p in replay.stage.puppets)}"


async def _processes(replay: Replay, _step: Step) -> str:
    return f"processes={[puppet.name for puppet in replay.stage.puppets]}"


async def _signals(replay: Replay, step: Step) -> str:
    puppet = await _gone(replay, RUNTIME)
    closed = f" socket_closed={puppet.is_gone}" if "socket_closed" in step.detail else ""
    dead = f" dead={puppet.is_gone}" if "dead" in step.detail else ""
    return f"signals={[name for name, _ in puppet.signals]}{closed}{dead}"


async def _killed(replay: Replay, step: Step) -> str:
    puppet = await _gone(replay, step.actor.partition(":")[2])
    told = _calls(replay, step.actor, "/next")[-1].loop_time
    signals = [name for name, _ in puppet.signals]
    return f"signals={signals} killed_after_ms={_hundreds(puppet.gone_at - told)}"


async def _grace(replay: Replay, _step: Step) -> str:
    puppet = await _gone(replay, RUNTIME)
    grace = _hundreds(puppet.gone_at - puppet.signals[0][1])
    return f"SIGTERM->death ms (rounded to 100) = {grace}"


async def _shutdown_deadline(replay: Replay, _step: Step) -> str:
    call = _calls(replay, "ext:.*", "/next")[-1]
    await call.ended.wait()
    assert isinstance(call.found, Answer)
    left = json.loads(call.found.body)["deadlineMs"] - call.wall_time * 1000
    return f"shutdown deadlineMs - now = {round(left)} ms"


async def _runtime_started(replay: Replay, step: Step) -> str:
    wanted = step.detail.endswith("True")
    if wanted:
        await replay.puppet(RUNTIME)
    else:
        await asyncio.sleep(0.05)
    return re.sub("(True|False)$", str(replay.stage.find(RUNTIME) is not None), step.detail)


async def _metadata_api(replay: Replay, _step: Step) -> str:
    return f"api env={_process(replay, RUNTIME).env.get('AWS_LAMBDA_METADATA_API')}"


def _hundreds(seconds: float) -> int:
    return round(seconds * 10) * 100


def variables(replay: Replay, step: Step) -> dict[str, str]:
    """The variables of the process of a step."""
    name = step.actor.partition(":")[2] or RUNTIME
    env = _process(replay, name).env
    return {name: value for name, value in env.items() if name not in NOISE}


_LOOKS: list[tuple[str, Callable[[Replay, Step], Awaitable[str]]]] = [
    (r"alive=True|exit_code=\d+", _server),
    (r"deadline_minus_now_s=.*", _deadline),
    (r"first_waiting_next_done=.*", _two_polls),
    (r"after response, before another next: invoker_done=.*", _is_done("invoker.*", "")),
    (r"invoker got its answer before next: .*", _is_done("invoker.*", "")),
    (r"invoker_done with \d of \d (extensions )?ready=.*", _is_done("invoker.*", "")),
    (r"second next got the event=.*", _is_done("runtime", "/next")),
    (r"next_done before extension next=.*", _is_done("runtime", "/next")),
    (r"extension next done=.*", _is_done("ext:.*", "/next")),
    (r"runtime_processes=.*", _runtime_count),
    (r"processes=.*", _processes),
    (r"signals=\[\] killed_after_ms=.*", _killed),
    (r"signals=.*", _signals),
    (r"SIGTERM->death ms .*", _grace),
    (r"shutdown deadlineMs - now = .*", _shutdown_deadline),
    (r"runtime_started after .*", _runtime_started),
    (r"api env=.*", _metadata_api),
]
