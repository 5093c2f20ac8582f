"""The Extensions API's answer to every call in every state an extension can be in.

Names and texts are those of AWS's Runtime Interface Emulator, spelled out by hand.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rapid_mock.lifecycle.effects import Accepted, Refused, RegistrationAccepted
from rapid_mock.lifecycle.machines import ExtensionState
from tests.support.lifecycle_script import Call, Script

Road = Callable[[Script], object]
Answer = str | Refused

PARKED = "parked"
TAKEN = "202"
REGISTERED = "200"
UNKNOWN = "Extension.UnknownExtensionIdentifier"
NO_SUCH_ID = Refused(403, UNKNOWN, "Unknown Lambda-Extension-Identifier")

CALLS: dict[str, Callable[[Script], Call]] = {
    "register": lambda s: s.register("shipper", "INVOKE", "SHUTDOWN"),
    "next": lambda s: s.extension_next("shipper"),
    "init error": lambda s: s.extension_init_error("shipper"),
    "exit error": lambda s: s.extension_exit_error("shipper"),
}


def _from(origin: str, target: str, whom: str = "id-shipper") -> Refused:
    text = f"State transition from {origin} to {target} failed for extension {whom}. "
    return Refused(
        403, "Extension.InvalidExtensionState", f"{text}Error: State transition is not allowed"
    )


# --- An external extension, with another one ("watcher") beside it ----------------------------


def _spawned(s: Script) -> None:
    s.init()


def _registered(s: Script) -> None:
    s.init()
    s.register("shipper", "INVOKE", "SHUTDOWN")


def _ready(s: Script) -> None:
    _registered(s)
    s.extension_next("shipper")


def _told(s: Script) -> None:
    _ready(s)
    s.register("watcher")
    s.runtime_next()
    s.extension_next("watcher")
    s.invoke("r1")


def _init_error(s: Script) -> None:
    _registered(s)
    s.extension_init_error("shipper")


def _exit_error(s: Script) -> None:
    _ready(s)
    s.extension_exit_error("shipper")


def _exited(s: Script) -> None:
    _told(s)
    s.exit("shipper", 1)


def _not_started(s: Script) -> None:
    _spawned(s)
    s.fail_to_start("shipper", "fork/exec /opt/extensions/shipper: permission denied")


EXTERNAL: dict[str, tuple[Road, tuple[Answer, Answer, Answer, Answer]]] = {
    "STARTED": (
        _spawned,
        (REGISTERED, Refused(403, UNKNOWN, "Unknown extension id-shipper"), NO_SUCH_ID, NO_SUCH_ID),
    ),
    "REGISTERED": (
        _registered,
        (_from("Registered", "Registered", "shipper"), PARKED, TAKEN, TAKEN),
    ),
    "READY": (
        _ready,
        (
            _from("Ready", "Registered", "shipper"),
            _from("Ready", "Ready"),
            _from("Ready", "InitError"),
            TAKEN,
        ),
    ),
    "RUNNING": (
        _told,
        (
            _from("Running", "Registered", "shipper"),
            PARKED,
            _from("Running", "InitError"),
            TAKEN,
        ),
    ),
    "INIT_ERROR": (
        _init_error,
        (
            _from("InitError", "Registered", "shipper"),
            _from("InitError", "Ready"),
            TAKEN,
            _from("InitError", "Exited"),
        ),
    ),
    "EXIT_ERROR": (
        _exit_error,
        (
            _from("ExitError", "Registered", "shipper"),
            _from("ExitError", "Ready"),
            _from("ExitError", "InitError"),
            TAKEN,
        ),
    ),
    "EXITED": (
        _exited,
        (
            _from("Exited", "Registered", "shipper"),
            _from("Exited", "Ready"),
            _from("Exited", "InitError"),
            _from("Exited", "Exited"),
        ),
    ),
    "LAUNCH_ERROR": (
        _not_started,
        (
            _from("LaunchError", "Registered", "shipper"),
            Refused(403, UNKNOWN, "Unknown extension id-shipper"),
            NO_SUCH_ID,
            NO_SUCH_ID,
        ),
    ),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("state", EXTERNAL)
def test_external_extension(state: str, call: str) -> None:
    """An external extension may do in each state what AWS allows, and nothing else."""
    road, answers = EXTERNAL[state]
    script = Script("shipper", "watcher")
    road(script)
    assert _state_of(script) == state
    assert _seen(CALLS[call](script)) == answers[list(CALLS).index(call)]


def test_the_matrix_covers_the_table() -> None:
    """Every state of the table stands in the matrix."""
    assert set(EXTERNAL) == {state.name for state in ExtensionState}


# --- An internal extension, alone with its runtime --------------------------------------------

NAME_TAKEN = Refused(
    403, "Extension.InvalidExtensionState", "Extension with this name already registered"
)
CLOSED = Refused(403, "Extension.RegistrationClosed", "Extension registration closed already")


def _inner_registered(s: Script) -> None:
    s.init()
    s.register("shipper", "INVOKE")


def _inner_ready(s: Script) -> None:
    _inner_registered(s)
    s.extension_next("shipper")


def _inner_told(s: Script) -> None:
    _inner_ready(s)
    s.runtime_next()
    s.invoke("r1")


def _inner_init_error(s: Script) -> None:
    _inner_registered(s)
    s.extension_init_error("shipper")


def _inner_exit_error(s: Script) -> None:
    _inner_told(s)
    s.extension_exit_error("shipper")


INTERNAL_ROADS: dict[str, tuple[Road, Refused]] = {
    "REGISTERED": (_inner_registered, NAME_TAKEN),
    "READY": (_inner_ready, NAME_TAKEN),
    "RUNNING": (_inner_told, CLOSED),
    "INIT_ERROR": (_inner_init_error, NAME_TAKEN),
    "EXIT_ERROR": (_inner_exit_error, CLOSED),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("state", INTERNAL_ROADS)
def test_internal_extension(state: str, call: str) -> None:
    """An internal extension has the same life; only its second registration is told otherwise."""
    road, second_registration = INTERNAL_ROADS[state]
    script = Script()
    road(script)
    assert _state_of(script) == state
    if call == "register":
        assert _seen(script.register("shipper", "INVOKE")) == second_registration
    else:
        assert _seen(CALLS[call](script)) == EXTERNAL[state][1][list(CALLS).index(call)]


def _state_of(script: Script) -> str:
    return script.environment._state.extensions["shipper"].state.name


def _seen(call: Call) -> Answer:
    reply = call.reply
    if isinstance(reply, RegistrationAccepted):
        return REGISTERED
    if isinstance(reply, Accepted):
        return TAKEN
    if isinstance(reply, Refused):
        return reply
    assert reply is None
    return PARKED


# --- What a registration may ask for ----------------------------------------------------------


def test_registration_is_answered_with_the_function() -> None:
    """A registered extension learns its identifier, the function, its version and its handler."""
    script = Script("shipper", version="7")
    script.init()
    reply = script.register("shipper", "INVOKE").reply
    assert reply == RegistrationAccepted("id-shipper", "hello", "7", "app.handler", None)


def test_the_account_is_told_on_request() -> None:
    """The account id is in the answer only when the extension accepts that feature."""
    script = Script("shipper")
    script.init()
    reply = script.register("shipper", wants_account_id=True).reply
    assert isinstance(reply, RegistrationAccepted)
    assert reply.account_id == "123456789012"


@pytest.mark.parametrize(
    ("name", "events", "text"),
    [
        ("shipper", ("INVOKE", "invoke"), "invoke: ErrorInvalidEventType"),
        ("inner", ("STARTUP", "SHUTDOWN"), "STARTUP: ErrorInvalidEventType"),
        ("inner", ("SHUTDOWN",), "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"),
        ("inner", ("SHUTDOWN", "x"), "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"),
    ],
)
def test_events_that_cannot_be_had(name: str, events: tuple[str, ...], text: str) -> None:
    """The first bad event is named, and nothing is registered."""
    script = Script("shipper")
    script.init()
    refused = script.register(name, *events)
    assert refused.refusal == (403, "Extension.InvalidEventType", text)
    assert isinstance(script.register(name).reply, RegistrationAccepted)


def test_bad_events_are_told_before_a_closed_registration() -> None:
    """The events of a late internal extension are judged first."""
    script = Script()
    script.init()
    script.runtime_next()
    assert script.register("inner", "SHUTDOWN").refusal[1] == "Extension.InvalidEventType"
    assert _seen(script.register("inner", "INVOKE")) == CLOSED


def test_registration_closes_when_the_runtime_asks_for_its_first_event() -> None:
    """Internal extensions may come until the runtime's first next, extensions ready or not."""
    script = Script("shipper")
    script.init()
    script.register("shipper")
    assert isinstance(script.register("first").reply, RegistrationAccepted)
    script.runtime_next()
    assert _seen(script.register("second")) == CLOSED


def test_an_external_extension_that_comes_again_is_not_told_closed() -> None:
    """For a launched extension its own state is the reason, even when registration is closed."""
    script = Script("shipper")
    script.init()
    script.register("shipper")
    script.runtime_next()
    expected = _from("Registered", "Registered", "shipper")
    assert _seen(script.register("shipper")) == expected


def test_ten_extensions_of_both_kinds_are_the_limit() -> None:
    """The eleventh extension is refused; a refused registration takes no place."""
    names = [f"x{number}" for number in range(9)]
    script = Script(*names)
    script.init()
    for name in names:
        script.register(name)
    script.register("bad", "SHUTDOWN")
    assert isinstance(script.register("tenth").reply, RegistrationAccepted)
    refused = script.register("eleventh")
    assert refused.refusal == (403, "Extension.TooManyExtensions", "Extension limit (10) reached")
    assert script.register("tenth").refusal[1] == "Extension.TooManyExtensions"


def test_who_has_nothing_to_do_yet_may_register_before_init() -> None:
    """The service is open before the first init; who registered then is awaited in it."""
    script = Script()
    script.register("early", "INVOKE")
    script.invoke("r1")
    poll = script.runtime_next()
    assert poll.is_parked
    script.extension_next("early")
    assert poll.delivered == "r1"
