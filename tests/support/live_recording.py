"""Records what AWS's emulator (RIE) answers to a walk, as a scenario for the replay."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.exchanges import CLOSED, Answer, read_answer, send_request
from tests.support.peers import RuntimeInterfaceEmulator
from tests.support.placeholders import Bindings
from tests.support.puppets import Direct, Puppet, Speaker, Stage, Wire, open_stage
from tests.support.recorded import Expected, Request, Scenario, Step, add_context
from tests.support.walks import EXTERNAL, UNKNOWN, Saying, externals

PARKED_SECONDS, ANSWER_SECONDS = 0.05, 5.0
"""How long a call that may wait for others, and one that may not, is given."""
QUIET_SECONDS = 0.01
ENTRANCE_SECONDS = 0.5
"""How long a process may take to come; RIE holds the runtime back until extensions register."""
TICK = 10.0
NAMESPACE = ("unshare", "--map-root-user", "--mount", "sh", "-c")
OVER_OPT = 'mount --bind "$0" /opt && exec "$@"'
_PING = Request("GET", "/2018-06-01/ping", [], b"")
_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REQUEST_ID = "Lambda-Runtime-Aws-Request-Id"
_EXTENSION_ID = "Lambda-Extension-Identifier"


class Call:
    """One exchange under way; `completed` on the walk's clock, which ticks with each saying."""

    def __init__(self, actor: str, at: float, request: Request) -> None:
        self.actor = actor
        self.at = at
        self.request = request
        self.reading: asyncio.Task[None]
        self.completed: float | None = None
        self.answer: Answer | None = None


class LiveRecording:
    """One walk under RIE."""

    def __init__(self, stage: Stage, rie: RuntimeInterfaceEmulator) -> None:
        self._stage = stage
        self._rie = rie
        self._invoker = Direct(f"127.0.0.1:{rie.port}")
        self._bindings = Bindings()
        self._calls: list[Call] = []
        self._idle: dict[str, list[Wire]] = {}
        self._ids: dict[str, str] = {}
        self._request_id = UNKNOWN
        self._expected: dict[Call, Expected] = {}
        self._missed: set[str] = set()
        self.did_panic = False

    async def record(self, walk: Sequence[Saying]) -> list[Step]:
        """Say it all, as far as RIE does not panic; what was open at the end stays open."""
        for number, saying in enumerate(walk):
            if not self._may_say(saying):
                continue
            await self._say(saying, number * TICK)
            if "panic" in self._rie.stderr():
                self.did_panic = True
                self._calls.pop()
                break
        return [self._step(call) for call in self._calls]

    def started(self) -> list[str]:
        """The request ids of the START lines, as placeholders."""
        ids = re.findall(r"START RequestId: (\S+)", self._rie.stdout())
        return [self._template(request_id) for request_id in ids]

    async def close(self) -> None:
        for call in self._calls:
            call.reading.cancel()
        await asyncio.gather(*(call.reading for call in self._calls), return_exceptions=True)
        self._invoker.close()

    def _may_say(self, saying: Saying) -> bool:
        """RIE dies of two invocations, and counts the poll of an extension that reports its end."""
        waiting = [call for call in self._calls if call.completed is None]
        reports = saying.actor != "runtime" and saying.path.endswith("/error")
        if saying.actor == "invoker" or reports:
            return all(call.actor != saying.actor for call in waiting)
        return True

    async def _say(self, saying: Saying, now: float) -> None:
        request = self._request(saying)
        party = _party(saying.actor)
        speaker = await self._speaker(party)
        if speaker is None:
            return
        idle = self._idle.setdefault(party, [])
        wire = idle.pop() if idle else await speaker.open()
        await send_request(wire, request, self._bindings)
        call = Call(saying.actor, now, request)
        call.reading = asyncio.create_task(self._read(call, wire, party))
        self._calls.append(call)
        may_park = saying.actor == "invoker" or saying.path.endswith("/next")
        patience = PARKED_SECONDS if may_park else ANSWER_SECONDS
        await asyncio.wait((call.reading,), timeout=patience)
        if not call.reading.done():
            await self._ping(speaker)
        await self._settle(now + TICK / 2)

    async def _ping(self, speaker: Speaker) -> None:
        """A busy machine is no reason for not answering: RIE has had its turn."""
        if speaker is self._invoker:
            return
        wire = await speaker.open()
        await send_request(wire, _PING, self._bindings)
        await asyncio.wait_for(read_answer(wire.reader, "GET"), ANSWER_SECONDS)
        wire.close()

    async def _read(self, call: Call, wire: Wire, party: str) -> None:
        call.answer = await read_answer(wire.reader, call.request.method)
        if call.answer is not None and call.answer.header("Connection") != "close":
            self._idle[party].append(wire)

    async def _settle(self, now: float) -> None:
        """Note whose calls have ended, until none does for a moment."""
        while True:
            waiting = [call for call in self._calls if call.completed is None]
            ended = [call for call in waiting if call.reading.done()]
            for call in ended:
                call.completed = now
                self._note(call)
            still = [call.reading for call in waiting if call not in ended]
            if not still:
                return
            done, _ = await asyncio.wait(
                still, timeout=QUIET_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                return

    def _note(self, call: Call) -> None:
        """Learn the ids that an answer tells, and write it down with placeholders."""
        answer = call.answer
        if answer is None:
            self._expected[call] = Expected(error=CLOSED)
            return
        headers = [(name, self._template(value)) for name, value in answer.headers]
        body = self._template(answer.body.decode("utf-8", "replace"))
        self._expected[call] = Expected(answer.status, headers, body)
        told = dict(headers)
        self._request_id = told.get(_REQUEST_ID, self._request_id)
        if _EXTENSION_ID in told:
            self._ids[call.actor] = told[_EXTENSION_ID]

    def _request(self, saying: Saying) -> Request:
        own = self._ids.get(saying.actor, UNKNOWN)

        upper = own.upper() if own == UNKNOWN else own.replace(">", "|upper>")

        def filled(text: str) -> str:
            text = text.replace("{invoke}", self._request_id)
            return text.replace("{id}", own).replace("{ID}", upper)

        headers = [(name, filled(value)) for name, value in saying.headers]
        return Request(saying.method, filled(saying.path), headers, saying.body)

    async def _speaker(self, party: str) -> Direct | Puppet | None:
        """Who says it; None for a process that does not come, or has gone."""
        if party == "invoker":
            return self._invoker
        patience = 0.0 if party in self._missed else ENTRANCE_SECONDS
        try:
            puppet = await asyncio.wait_for(self._stage.entrance(party), patience)
        except TimeoutError:
            self._missed.add(party)
            return None
        self._missed.discard(party)
        return puppet

    def _template(self, text: str) -> str:
        for uuid in _UUID.findall(text):
            if uuid != UNKNOWN and uuid not in self._bindings.values.values():
                self._bindings.values[f"uuid:{len(self._bindings.values)}"] = uuid
        for key, uuid in self._bindings.values.items():
            text = text.replace(uuid, f"<{key}>")
        return re.sub(r"\b1\d{12}\b", "<epoch_ms>", text)

    def _step(self, call: Call) -> Step:
        expected = self._expected.get(call, Expected())
        return Step(call.actor, call.at, call.completed, call.request, expected)


def _party(actor: str) -> str:
    """The process that speaks: internal extensions are part of the runtime."""
    name = actor.partition(":")[2]
    return name if name in EXTERNAL else "invoker" if actor == "invoker" else "bootstrap"


async def record(walk: Sequence[Saying], binary: Path, directory: Path) -> Scenario:
    """What RIE answers to a walk. Raises PeerUnavailable when RIE does not start."""
    needed = externals(list(walk))
    async with _emulated(needed, binary, directory) as (stage, rie):
        recording = LiveRecording(stage, rie)
        try:
            steps = await recording.record(walk)
            steps = add_context(steps, recording.started())
        finally:
            await recording.close()
    return Scenario("differential/walk", "classic", "live", {}, needed, [], [], [], steps)


@asynccontextmanager
async def _emulated(
    names: Sequence[str], binary: Path, directory: Path
) -> AsyncIterator[tuple[Stage, RuntimeInterfaceEmulator]]:
    """RIE whose processes are puppets, in a mount namespace where /opt is the test's."""
    async with open_stage(directory) as stage:
        (directory / "extensions").mkdir(parents=True)
        for name in names:
            stage.write_program(name, "extensions")
        rie = RuntimeInterfaceEmulator(
            binary,
            [str(stage.write_program("bootstrap"))],
            env={"PATH": "/usr/bin:/bin"},
            cwd=directory,
            prefix=[*NAMESPACE, OVER_OPT, str(directory)] if names else [],
        )
        with rie:
            try:
                yield stage, rie
            finally:
                for puppet in stage.puppets:
                    if not puppet.is_gone:
                        puppet.order_soon(b"x", 0)
                await asyncio.to_thread(rie.stop)
