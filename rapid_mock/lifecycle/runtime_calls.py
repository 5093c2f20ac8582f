"""What the Runtime API's calls do: check the message, then move the machine.

A transition cannot be undone, so every check that needs no transition comes first (RIE's rule).
"""

from __future__ import annotations

from lambda_runtime import contract
from rapid_mock.lifecycle import events as happened
from rapid_mock.lifecycle import report
from rapid_mock.lifecycle.effects import (
    Accepted,
    Answer,
    Drain,
    Explain,
    InvocationDelivered,
    Outcome,
    Reply,
)
from rapid_mock.lifecycle.events import Ending
from rapid_mock.lifecycle.machines import (
    InvocationAction,
    InvocationState,
    RuntimeAction,
    wire_state,
)
from rapid_mock.lifecycle.refusals import refuse, transition_text
from rapid_mock.lifecycle.state import Fault, Running, State

ACCEPTED = Accepted()

# Read at every call; through its class an enum's member costs 0.1 us each time.
NEXT, RESPONSE = InvocationAction.NEXT, InvocationAction.RESPONSE
RESPONSE_END, ERROR = InvocationAction.RESPONSE_END, InvocationAction.ERROR
DELIVERED, RESPONDED = InvocationState.DELIVERED, InvocationState.RESPONDED
RETURNED, FAILED = InvocationState.RETURNED, InvocationState.FAILED


def runtime_next(state: State, event: happened.RuntimeNext) -> None:
    mode = state.settings.mode
    running = state.current if mode.is_serial else None
    after = mode.runtime[state.runtime].get(RuntimeAction.NEXT)
    if after is None or (running is not None and not running.may(NEXT)):
        refuse_transition(state, event.exchange, running, RuntimeAction.NEXT.value)
        return
    state.runtime = after
    if running is not None:
        before = running.state
        running.step(NEXT)
        if running.state is DELIVERED:
            message = InvocationDelivered(running.invocation, running.deadline_ms)
            state.effects.append(Reply(event.exchange, message))
            return
        if before is RESPONDED:
            _runtime_is_done(state, running)
    if mode.most_polls is not None and len(state.polls) >= mode.most_polls:
        refuse(state, event.exchange, 500, contract.ERROR_INTERNAL, "Internal Server Error")
        return
    state.polls.append(event)


def runtime_response_begun(state: State, event: happened.RuntimeResponseBegun) -> None:
    running = _identified(state, event.exchange, event.request_id, event.invocation_id)
    if running is None:
        return
    if not running.attempt(RESPONSE):
        _refuse_out_of_turn(state, event.exchange, running, RESPONSE.value)
        return
    running.first_byte = state.now.monotonic
    if event.mode not in (None, contract.RESPONSE_MODE_STREAMING):
        running.step(RESPONSE_END)
        refuse(
            state,
            event.exchange,
            400,
            contract.ERROR_INVALID_RESPONSE_MODE,
            "Invalid function response mode",
        )
        _explain(state, f'runtime responded in an unknown mode, "{event.mode}"')
        _answer(state, running, _refused_outcome(contract.ERROR_RUNTIME_INVALID_RESPONSE_MODE))


def runtime_response_ended(state: State, event: happened.RuntimeResponseEnded) -> None:
    running = _identified(state, event.exchange, event.request_id)
    if running is None or not running.attempt(RESPONSE_END):
        return
    running.last_byte, running.produced = state.now.monotonic, event.size
    if event.ending is Ending.COMPLETE:
        state.effects.append(Reply(event.exchange, ACCEPTED))
        _answer(state, running, _posted_outcome(event))
    elif event.ending is Ending.OVERSIZED:
        limit = event.limit
        text = f"Exceeded maximum allowed payload size ({limit} bytes)."
        refuse(state, event.exchange, 413, contract.ERROR_REQUEST_TOO_LARGE, text)
        _explain(state, f"runtime responded with more than {limit} bytes")
        _answer(
            state,
            running,
            _refused_outcome(
                contract.ERROR_FUNCTION_RESPONSE_TOO_LARGE,
                f"Response payload size exceeded maximum allowed payload size ({limit} bytes).",
            ),
        )
    else:
        text = "HTTP request detected as truncated"
        refuse(state, event.exchange, 400, contract.ERROR_TRUNCATED_REQUEST, text)
        _explain(state, "runtime broke off its response")
        _answer(state, running, _refused_outcome(contract.ERROR_RUNTIME_TRUNCATED_RESPONSE))


def runtime_error_reported(state: State, event: happened.RuntimeErrorReported) -> None:
    running = _identified(state, event.exchange, event.request_id, event.invocation_id)
    if running is None:
        return
    if not running.attempt(ERROR):
        _refuse_out_of_turn(state, event.exchange, running, ERROR.value)
        return
    running.first_byte = running.last_byte = state.now.monotonic
    running.produced = event.size
    state.effects.append(Reply(event.exchange, ACCEPTED))
    _answer(
        state,
        running,
        Outcome(contract.STATUS_ERROR, event.payload, event.content_type, event.error_type),
    )


def runtime_init_failed(state: State, event: happened.RuntimeInitFailed) -> None:
    """Nothing ends yet: the init fails when the process exits, or at its deadline."""
    if RuntimeAction.INIT_ERROR not in state.settings.mode.runtime[state.runtime]:
        refuse_transition(state, event.exchange, state.current, RuntimeAction.INIT_ERROR.value)
        return
    state.step_runtime(RuntimeAction.INIT_ERROR)
    state.init_error = Fault(event.error_type, "", "", payload=event.payload)
    state.effects.append(Reply(event.exchange, ACCEPTED))


def _identified(
    state: State, exchange: int, request_id: str, invocation_id: str | None = None
) -> Running | None:
    """The open invocation that a call is about; otherwise the call is refused.

    The answer to another delivery than the last one is late: its own has timed out.
    """
    running = state.running.get(request_id)
    if running is None or running.state is FAILED:
        if request_id in state.overdue:
            state.overdue.remove(request_id)
            _refuse_late(state, exchange)
        else:
            _refuse_id(state, exchange)
        return None
    if running.invocation_id is not None and invocation_id not in (None, running.invocation_id):
        _refuse_late(state, exchange)
        return None
    return running


def _refuse_id(state: State, exchange: int) -> None:
    refuse(state, exchange, 400, contract.ERROR_INVALID_REQUEST_ID, "Invalid request ID")


def _refuse_late(state: State, exchange: int) -> None:
    refuse(state, exchange, 410, contract.ERROR_INVOKE_TIMEOUT, "Invoke timeout")


def _refuse_out_of_turn(state: State, exchange: int, running: Running, target: str) -> None:
    if state.settings.mode.is_serial:
        refuse_transition(state, exchange, running, target)
    else:
        _refuse_id(state, exchange)


def refuse_transition(state: State, exchange: int, running: Running | None, target: str) -> None:
    origin = wire_state(state.runtime, running.state if running else None)
    text = transition_text(state, origin, target, "runtime")
    refuse(state, exchange, 403, contract.ERROR_INVALID_STATE_TRANSITION, text)


def _explain(state: State, sentence: str) -> None:
    state.effects.append(Explain(sentence, state.runtime_process))


def _answer(state: State, running: Running, outcome: Outcome) -> None:
    running.outcome = outcome
    state.effects.append(Answer(running.invocation.request_id, outcome))
    if running.state is RETURNED:
        _runtime_is_done(state, running)


def _runtime_is_done(state: State, running: Running) -> None:
    running.runtime_done = state.now.monotonic
    state.effects.append(Drain())
    state.effects += report.runtime_done(state, running, None)


def _posted_outcome(event: happened.RuntimeResponseEnded) -> Outcome:
    if event.error_type is not None:
        return Outcome(
            contract.STATUS_ERROR,
            event.error_body if event.error_body is not None else event.payload,
            contract.CONTENT_TYPE_JSON,
            event.error_type,
        )
    return Outcome(contract.STATUS_SUCCESS, event.payload, event.content_type)


def _refused_outcome(error_type: str, message: str | None = None) -> Outcome:
    """AWS's function error for a response that was refused; `errorMessage` first, as recorded."""
    error = {"errorType": error_type}
    if message is not None:
        error = {"errorMessage": message, "errorType": error_type}
    return Outcome(contract.STATUS_ERROR, error_type=error_type, error=error)
