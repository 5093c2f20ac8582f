"""Plays a recorded scenario against a real rapid-mock, in the recorded order and overlap."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

from rapid_mock.host.descriptors import raise_descriptor_limit
from tests.support.exchanges import (
    CLOSED,
    REFUSED,
    Answer,
    differences,
    read_answer,
    send_request,
    send_rest,
)
from tests.support.observations import differing_variables, is_about, observe, variables
from tests.support.placeholders import Bindings
from tests.support.puppets import Direct, Puppet, Speaker, Stage, Wire, open_stage
from tests.support.recorded import Request, Scenario, Step
from tests.support.replay_calls import PARKED_SECONDS, Call, name_of, precedes, says
from tests.support.served import Served, serve
from tests.support.sink import Sink, open_sink

SCENARIO_SECONDS = 25.0
CALL_SECONDS = 8.0
EARLY_MS = 250
"""How much earlier than in the recording a timeout may be: RIE takes 100 ms more than it says."""
OUTLAST_MS = 20
"""By how much a call must have outlasted the beginning of another step for it to mean anything."""
BARRIER_ROUNDS = 4
RUNTIME = "bootstrap"
CLOSED_BY_CLIENT = "closed by its client"
TOKENS = {
    "/2026-01-15/": "AWS_LAMBDA_METADATA_TOKEN",
    "/2021-04-23/": "AWS_CONTAINER_AUTHORIZATION_TOKEN",
}
_PING = Request("GET", "/2018-06-01/ping", [], b"")
_POLL = Request("GET", "/2018-06-01/runtime/invocation/next", [], b"")


class Impossible(Exception):
    """A step cannot be played: what it needs does not come."""


class Replay:
    """One scenario on its stage."""

    def __init__(self, scenario: Scenario, stage: Stage, served: Served, sink: Sink) -> None:
        self.scenario = scenario
        self.stage = stage
        self.served = served
        self.calls: list[Call] = []
        self.wrong: list[str] = []
        self.was_signalled = False
        self._bindings = Bindings()
        self._sink = sink
        self._wires: dict[Speaker, list[Wire]] = {}
        self._pings: dict[Speaker, list[Wire]] = {}
        self._directs: dict[str, Direct] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def play(self) -> None:
        """All steps, then what must be true at the end: of open calls, and of the log."""
        for step in self.scenario.steps:
            if step.action == "lines":
                await self._finish()
            await self._until_due(step)
            self._note_early(step)
            if step.request is None:
                await self._act(step)
            else:
                await self._start(step)

    def report(self) -> str:
        """What differs, and what rapid-mock said meanwhile."""
        return "\n".join([*self.wrong, "rapid-mock said:", "".join(self.served.log)])

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for direct in self._directs.values():
            direct.close()

    # --- Order ------------------------------------------------------------------------------

    async def _until_due(self, step: Step) -> None:
        for call in self.calls:
            if precedes(call.step, step, self._party):
                await self._ended(call)
        request = step.request
        if request is not None:
            await self._learn_token(step, request)
            texts = [request.path, *(value for _, value in request.headers)]
            await self._until_known(texts)

    async def _ended(self, call: Call) -> None:
        try:
            await asyncio.wait_for(call.ended.wait(), CALL_SECONDS)
        except TimeoutError:
            raise Impossible(f"{name_of(call.step)} did not end") from None

    async def _until_known(self, texts: list[str]) -> None:
        """Wait for the answers that say what the placeholders of a request stand for."""
        for text in texts:
            for call in self.calls:
                if self._bindings.fill(text) is None and says(call.step.expected, text):
                    await self._ended(call)
            if self._bindings.fill(text) is None:
                raise Impossible(f"nothing has said what {text} is")

    async def _learn_token(self, step: Step, request: Request) -> None:
        """The runtime knows its tokens from its variables."""
        sent = dict(request.headers).get("Authorization", "")
        for prefix, variable in TOKENS.items():
            if request.path.startswith(prefix) and self._bindings.fill(sent) is None:
                speaker = await self._speaker(step)
                if isinstance(speaker, Puppet):
                    token = speaker.env.get(variable, "")
                    self._bindings.matches(sent.removeprefix("Bearer "), token)

    def _note_early(self, step: Step) -> None:
        """A call that the recording shows to outlast the beginning of this step must do so."""
        for call in self.calls:
            outlasts = (
                call.step.completed or 0
            ) > step.at + OUTLAST_MS and not call.step.may_be_early
            if outlasts and call.ended.is_set():
                self._complain(call.step, f"ended before {name_of(step)}")

    # --- Exchanges --------------------------------------------------------------------------

    async def _start(self, step: Step) -> None:
        assert step.request is not None
        call = Call(step)
        self.calls.append(call)
        try:
            speaker = await self._speaker(step)
            wire = await self._wire(speaker)
        except OSError:
            self._found(call, REFUSED)
            return
        call.wire = wire
        await send_request(wire, step.request, self._bindings)
        if step.request.then_send:
            self._tasks.append(asyncio.create_task(send_rest(wire, step.request)))
        self._tasks.append(asyncio.create_task(self._follow(call, speaker, wire)))
        await self._barrier(speaker)

    async def _follow(self, call: Call, speaker: Speaker, wire: Wire) -> None:
        assert call.step.request is not None
        answer = await read_answer(wire.reader, call.step.request.method)
        if answer is not None and answer.header("Connection") != "close":
            self._wires.setdefault(speaker, []).append(wire)
        self._found(call, CLOSED if answer is None else answer)

    def _found(self, call: Call, found: Answer | str) -> None:
        if not call.ended.is_set():
            call.end(found)
            for difference in differences(call.step.expected, found, self._bindings):
                self._complain(call.step, difference)
            if (call.step.elapsed or 0) - call.elapsed_ms > EARLY_MS and not call.step.may_be_early:
                self._complain(call.step, f"took {call.elapsed_ms:.0f} ms, not {call.step.elapsed}")

    async def _wire(self, speaker: Speaker) -> Wire:
        """A connection that is not in use: kept alive, or new."""
        idle = self._wires.setdefault(speaker, [])
        while idle:
            wire = idle.pop()
            if not wire.reader.at_eof():
                return wire
        return await speaker.open()

    async def _speaker(self, step: Step) -> Speaker:
        """The process of this actor; once it has gone for good, the test itself."""
        if step.actor.startswith("invoker"):
            if self.served.address is None:
                raise ConnectionRefusedError
            return self._direct(self.served.address)
        party = self._party(step.actor)
        if party == "platform":
            raise Impossible("nobody speaks for the platform")
        puppet = self.stage.find(party)
        if puppet is not None:
            return puppet
        is_invoked = any(
            c.step.actor.startswith("invoker") and not c.ended.is_set() for c in self.calls
        )
        if is_invoked or (self.scenario.is_eager and not self.stage.puppets):
            return await self.puppet(party)
        if not self.stage.puppets:
            raise Impossible("there is no environment before the first invocation")
        return self._direct(self.stage.puppets[-1].runtime_api)

    async def puppet(self, party: str) -> Puppet:
        """The living process of this name, when it has come."""
        try:
            return await asyncio.wait_for(self.stage.entrance(party), CALL_SECONDS)
        except TimeoutError:
            raise Impossible(f"process {party} does not come") from None

    def _direct(self, address: str) -> Direct:
        return self._directs.setdefault(address, Direct(address))

    def _party(self, actor: str) -> str:
        """The process that acts: internal extensions are part of the runtime."""
        name = actor.partition(":")[2]
        if name in self.scenario.external:
            return name
        return RUNTIME if name or actor == "runtime" else actor

    async def _barrier(self, speaker: Speaker) -> None:
        """What has been sent so far has been dealt with: a few turns of the server's loop later."""
        idle = self._pings.setdefault(speaker, [])
        try:
            wire = idle.pop() if idle else await speaker.open()
            for _ in range(BARRIER_ROUNDS):
                await send_request(wire, _PING, self._bindings)
                if await read_answer(wire.reader, "GET") is None:
                    return
        except OSError:
            return
        idle.append(wire)

    # --- Actions ----------------------------------------------------------------------------

    async def _act(self, step: Step) -> None:
        if step.action in ("observe", "arguments", "lines"):
            found = await observe(self, step)
            if not is_about(step.detail, found, self._bindings):
                self._complain(step, f"saw {found}, expected {step.detail}")
        elif step.action in ("variables", "telemetry", "event"):
            await self._compare(step)
        else:
            await self._do(step)

    async def _compare(self, step: Step) -> None:
        if step.action == "variables":
            wrong = differing_variables(step.detail, variables(self, step), self._bindings)
        elif step.action == "event":
            found = await self._sink.first(re.findall('"type": "(.*?)"', step.detail)[0])
            is_same = self._bindings.matches(step.detail, found)
            wrong = [] if is_same else [f"{found}, expected {step.detail}"]
        else:
            wrong = await self._sink.differences(step.detail, self._bindings)
        for difference in wrong:
            self._complain(step, difference)

    async def _do(self, step: Step) -> None:
        if step.action == "exit":
            await (await self.puppet(self._party(step.actor))).exit(int(step.detail))
        elif step.action == "killed by SIGKILL":
            await (await self.puppet(self._party(step.actor))).kill()
        elif step.action == "signal":
            self.was_signalled = True
            self.served.signal(signal.Signals[step.detail])
        elif step.action == "print":
            await self._print(step)
        elif step.action == "closes its blocked next connection":
            await self._close("next")
        elif step.action == "closes its connection":
            await self._close("invocations")
        elif step.action == "answers its subscription":
            self._sink.answers.set()
        elif step.action == "polls":
            await self._park(await self.puppet(self._party(step.actor)), int(step.detail))
        else:
            raise Impossible(f"unknown action {step.action}")

    async def _print(self, step: Step) -> None:
        """Let a process print lines, and wait until the last one has been read."""
        await (await self.puppet(self._party(step.actor))).order(b"p", 0, step.detail.encode())
        async with asyncio.timeout(CALL_SECONDS):
            await self.served.has_said(step.detail.rpartition("\n")[2])

    async def _park(self, puppet: Puppet, count: int) -> None:
        """So many polls of the runtime; more than one process needs to hold."""
        raise_descriptor_limit()
        speaker = self._direct(puppet.runtime_api)
        for _ in range(count):
            await send_request(await speaker.open(), _POLL, self._bindings)
        await self._barrier(speaker)

    async def _close(self, what: str) -> None:
        """The client of the last such call goes away."""
        call = next(
            c for c in reversed(self.calls) if not c.ended.is_set() and what in name_of(c.step)
        )
        assert call.wire is not None
        call.wire.close()
        self._found(call, CLOSED_BY_CLIENT)
        await self._barrier(await self._speaker(call.step))

    # --- The end ----------------------------------------------------------------------------

    async def _finish(self) -> None:
        for call in self.calls:
            if not call.step.expected.is_pending:
                await self._ended(call)
        if any(call.step.expected.is_pending for call in self.calls):
            await asyncio.sleep(PARKED_SECONDS)

    def _complain(self, step: Step, text: str) -> None:
        self.wrong.append(f"{name_of(step)}: {text}")


async def replay(scenario: Scenario, directory: Path) -> Replay:
    """Play it, and end what was started for it."""
    async with open_sink() as sink, open_stage(directory) as stage:
        stage.ignores_sigterm = scenario.name.endswith("/runtime_ignores_sigterm")
        if scenario.name.endswith("/telemetry_slow_consumer"):
            sink.answers.clear()
        served = await serve(scenario, stage, directory)
        story = Replay(sink.fill(scenario), stage, served, sink)
        try:
            async with asyncio.timeout(SCENARIO_SECONDS):
                await story.play()
        except Impossible as problem:
            story.wrong.append(str(problem))
        except TimeoutError:
            story.wrong.append(f"not over within {SCENARIO_SECONDS} s")
        finally:
            await story.close()
            await _end(served, stage)
        return story


async def _end(served: Served, stage: Stage) -> None:
    """Ctrl-C, and every process goes when it is told to."""
    served.signal(signal.SIGINT)
    for puppet in stage.puppets:
        if not puppet.is_gone:
            puppet.order_soon(b"x", 0)
    try:
        await asyncio.wait_for(served.end(), CALL_SECONDS)
    except TimeoutError:
        served.signal(signal.SIGKILL)
        await served.end()
