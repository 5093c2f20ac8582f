"""The process that forks the workers: it replaces the dead ones, hands signals on, leaves nobody.

fork and pipes, nothing else: `multiprocessing` needs /dev/shm for its locks, which Lambda does not
have. Init is over when every worker has found the handler; only then do they begin to poll. Until
then the first failure ends it for all, and one init/error is posted, by the worker that failed.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from time import monotonic

from lambda_runtime import current
from lambda_runtime.in_flight import InFlight
from lambda_runtime.place import ALL_AT_ONCE, GO, INIT_FAILED, Place
from lambda_runtime.signals import Signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_runtime.client import RuntimeClient

SETTLED_SECONDS = 10.0
"""A worker that lived so long was well: another one takes its place at once."""
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.1, 5.0
MOST_DEATHS = 5
"""So many young deaths in a row in one place, and nobody else alive: that is the end."""
GRACE_SECONDS = 2.0
"""What workers have to end after SIGTERM: no less than Lambda gives a runtime."""


class Worker:
    """A living worker in the place `number`; `report` is open until it is ready."""

    def __init__(self, number: int, pid: int, control: int, report: int) -> None:
        self.number = number
        self.pid = pid
        self.control = control
        self.report: int | None = report
        self.started = monotonic()

    def close(self) -> None:
        """Forget its pipes; a worker that still lives ends of it."""
        os.close(self.control)
        self.close_report()

    def close_report(self) -> None:
        """It has said what it has to say."""
        if self.report is not None:
            os.close(self.report)
            self.report = None


class Supervisor:
    """Forks up to `count` workers; `on_size(workers, count)` hears how many there will be."""

    def __init__(
        self, client: RuntimeClient, count: int, on_size: Callable[[int, int], None]
    ) -> None:
        self._client = client
        self._count = count
        self._on_size = on_size
        self._size = 1  # until the first worker says whether it takes them all
        self._is_initialised = False
        self._failed: Worker | None = None  # the one that reports why init failed
        self._ends_at: float | None = None
        self._in_flight = InFlight(count)
        self._workers: dict[int, Worker] = {}
        self._reporters: set[int] = set()  # the processes of `_answer_for`
        self._deaths = dict.fromkeys(range(count), 0)
        self._due: dict[int, float] = {0: 0.0}  # place to when its next worker is forked
        self._signals = Signals()

    def run(self) -> Place:
        """Fork and watch for ever; returns in each worker, with its place."""
        self._signals.catch()
        while True:
            place = self._fork_due()
            if place is not None:
                return place
            self._wait()
            if self._ends_at is not None and monotonic() > self._ends_at:
                self._kill(signal.SIGKILL)

    # --- Forking --------------------------------------------------------------------------------

    def _fork_due(self) -> Place | None:
        """Fork the workers whose time has come; the place, in a worker."""
        now = monotonic()
        for number in [number for number, when in self._due.items() if when <= now]:
            del self._due[number]
            place = self._fork(number)
            if place is not None:
                return place
        return None

    def _fork(self, number: int) -> Place | None:
        control, report = os.pipe(), os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._signals.block()
        try:
            pid = os.fork()
        except OSError as error:
            for end in (*control, *report):
                os.close(end)
            self._signals.unblock()
            self._replace(number, f"cannot be started: {error}", is_young=True)
            return None
        if pid == 0:
            return self._become(number, control, report)
        self._signals.unblock()
        os.close(control[0])
        os.close(report[1])
        self._workers[number] = Worker(number, pid, control[1], report[0])
        return None

    def _become(self, number: int, control: tuple[int, int], report: tuple[int, int]) -> Place:
        """In a worker: keep nothing of the parent's."""
        os.close(control[1])
        os.close(report[0])
        for other in self._workers.values():
            other.close()
        self._signals.restore()
        current.may_register = number == 0 and not self._is_initialised
        return Place(
            number=number,
            count=self._count,
            control=control[0],
            report=report[1],
            in_flight=self._in_flight,
            is_first=not self._is_initialised,
        )

    # --- Waiting --------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Until a signal, a report, or the time of the next thing to do."""
        poll = select.poll()
        poll.register(self._signals.pipe, select.POLLIN)
        speakers = {
            worker.report: worker
            for worker in self._workers.values()
            if worker.report is not None and worker is not self._failed
        }
        for descriptor in speakers:
            poll.register(descriptor, select.POLLIN)
        times = [*self._due.values(), *([] if self._ends_at is None else [self._ends_at])]
        patience = max(0.0, min(times) - monotonic()) * 1000 + 1 if times else None
        for descriptor, _ in poll.poll(patience):
            if descriptor in speakers:
                self._hear(speakers[descriptor], os.read(descriptor, 1))
        received = self._signals.received()
        if received & {signal.SIGTERM, signal.SIGINT}:
            self._end()
        self._reap()

    def _hear(self, worker: Worker, said: bytes) -> None:
        """A worker is ready, or wants to report that it is not, or is gone."""
        if said == INIT_FAILED:
            if self._failed is not None:
                return  # it has been killed
            self._failed = worker
            self._kill(signal.SIGKILL, but=worker)
            _write(worker.control, GO)
            return
        worker.close_report()
        if not said:
            return
        if not self._is_initialised:
            self._ready(takes_all=said == ALL_AT_ONCE)
        else:
            _write(worker.control, GO)

    def _ready(self, *, takes_all: bool) -> None:
        """One more worker has found the handler: the first decides how many there are."""
        if self._size == 1 and not takes_all and self._count > 1:
            self._size = self._count
            self._due = dict.fromkeys(range(1, self._count), 0.0)
        if len(self._workers) == 1:
            self._on_size(self._size, self._count)
        is_complete = len(self._workers) == self._size
        if is_complete and all(w.report is None for w in self._workers.values()):
            self._is_initialised = True
            for worker in self._workers.values():
                _write(worker.control, GO)

    # --- Ends -----------------------------------------------------------------------------------

    def _end(self) -> None:
        """Hand the signal on; a second one does not wait."""
        self._due.clear()
        if self._ends_at is None:
            self._ends_at = monotonic() + GRACE_SECONDS
            self._kill(signal.SIGTERM)
        else:
            self._kill(signal.SIGKILL)
        self._leave_if_alone()

    def _leave_if_alone(self) -> None:
        if not self._workers and self._ends_at is not None:
            self._leave(0)

    def _kill(self, number: signal.Signals, but: Worker | None = None) -> None:
        for worker in self._workers.values():
            if worker is not but:
                os.kill(worker.pid, number)  # not reaped yet, so it is still its own

    def _reap(self) -> None:
        """Learn who has ended."""
        by_pid = {worker.pid: worker for worker in self._workers.values()}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._reporters.discard(pid)
            if pid in by_pid:
                self._ended(by_pid[pid], os.waitstatus_to_exitcode(status))

    def _ended(self, worker: Worker, code: int) -> None:
        worker.close()
        del self._workers[worker.number]
        if self._ends_at is not None:
            self._leave_if_alone()
        elif not self._is_initialised:
            if self._failed not in (None, worker):
                return
            self._kill(signal.SIGKILL)
            self._leave(code if code > 0 else 1 if code == 0 else 128 - code)
        else:
            how = f"exit status {code}" if code >= 0 else f"signal: {_signal_name(-code)}"
            self._answer_for(worker, how)
            is_young = monotonic() - worker.started < SETTLED_SECONDS
            self._replace(worker.number, f"ended with {how} (pid {worker.pid})", is_young=is_young)

    def _replace(self, number: int, what: str, *, is_young: bool) -> None:
        """Have another worker: at once, then after a while that doubles with each young death."""
        self._deaths[number] = self._deaths[number] + 1 if is_young else 0
        deaths = self._deaths[number]
        if deaths >= MOST_DEATHS and not self._workers:
            self._note(f"worker {number} {what}, {deaths} in a row, and no other is left")
            self._leave(1)
        doubled = FIRST_DELAY_SECONDS * 2.0 ** (deaths - 2)
        delay = min(LONGEST_DELAY_SECONDS, doubled) if deaths > 1 else 0.0
        self._due[number] = monotonic() + delay
        when = f"in {delay:g} s" if delay else "at once"
        self._note(f"worker {number} {what}; another one starts {when}")

    def _answer_for(self, worker: Worker, how: str) -> None:
        """The invocations that a dead worker had fail now, and not at their deadlines."""
        slots = range(self._count) if self._size == 1 else [worker.number]
        held = self._in_flight.take(slots)
        if not held:
            return
        self._signals.block()
        try:
            pid = os.fork()  # whoever waits for the API is not the one who watches
        except OSError:
            pid = -1  # they fail at their deadlines
        if pid == 0:
            from lambda_runtime.lost import report_lost

            try:
                self._signals.restore()
                report_lost(self._client, held, how)
            finally:
                os._exit(0)
        self._signals.unblock()
        if pid > 0:
            self._reporters.add(pid)

    def _note(self, sentence: str) -> None:
        from lambda_runtime.failures import log_note

        log_note(sentence)

    def _leave(self, code: int) -> None:
        """End; the hooks of a handler that was imported before the fork are the workers' affair."""
        for worker in self._workers.values():
            os.waitpid(worker.pid, 0)
        self._hear_out(monotonic() + GRACE_SECONDS)
        hooks = sys.modules.get("lambda_runtime.hooks")
        if hooks is not None:
            hooks.forget_shutdown()
        sys.exit(code)

    def _hear_out(self, until: float) -> None:
        """Where this is the first process of a container, its end is theirs who still report."""
        poll = select.poll()
        poll.register(self._signals.pipe, select.POLLIN)
        while self._reporters:
            left = until - monotonic()
            for pid in list(self._reporters):
                if left <= 0:
                    os.kill(pid, signal.SIGKILL)
                if os.waitpid(pid, os.WNOHANG if left > 0 else 0)[0]:
                    self._reporters.remove(pid)
            if self._reporters:
                poll.poll(left * 1000 + 1)
                self._signals.received()


def _write(descriptor: int, data: bytes) -> None:
    try:
        os.write(descriptor, data)
    except BrokenPipeError:
        return  # it has just died; `_reap` will tell


def _signal_name(number: int) -> str:
    """In the words of Lambda's own reports: `killed`, `segmentation fault`."""
    return (signal.strsignal(number) or str(number)).lower()
