"""What the Extensions API's calls do: check the message, then move the machine."""

from __future__ import annotations

from lambda_runtime import contract
from rapid_mock.lifecycle import events as happened
from rapid_mock.lifecycle.effects import Accepted, Refused, RegistrationAccepted, Reply
from rapid_mock.lifecycle.machines import ExtensionAction, ExtensionState
from rapid_mock.lifecycle.refusals import refuse, transition_text
from rapid_mock.lifecycle.state import Extension, State

ACCEPTED = Accepted()


def extension_registered(state: State, event: happened.ExtensionRegistered) -> None:
    extension = state.extensions.get(event.name)
    external = extension is not None and extension.external
    refusal = _registration_refusal(state, event, extension, external=external)
    if refusal is not None:
        state.effects.append(Reply(event.exchange, Refused(403, *refusal)))
        return
    if extension is None:
        extension = Extension(event.name, external=False, state=ExtensionState.REGISTERED)
        state.extensions[event.name] = extension
    else:
        extension.step(ExtensionAction.REGISTER)
    extension.identifier, extension.events = event.identifier, event.events
    settings = state.settings
    state.effects.append(
        Reply(
            event.exchange,
            RegistrationAccepted(
                event.identifier,
                settings.function_name,
                settings.version,
                settings.handler,
                settings.account_id if event.wants_account_id else None,
            ),
        )
    )


def extension_next(state: State, event: happened.ExtensionNext) -> None:
    extension = state.by_identifier(event.identifier)
    if extension is None:
        _refuse_unknown_extension(state, event.exchange, f"Unknown extension {event.identifier}")
    elif not extension.may(ExtensionAction.NEXT):
        _refuse_extension(state, event.exchange, extension, ExtensionAction.NEXT)
    else:
        extension.step(ExtensionAction.NEXT)
        extension.poll = event.exchange
        if extension.owed is not None:
            owed, extension.owed = extension.owed, None
            state.deliver(extension, owed)


def extension_init_failed(state: State, event: happened.ExtensionInitFailed) -> None:
    _extension_reported(state, event, ExtensionAction.INIT_ERROR)


def extension_exit_failed(state: State, event: happened.ExtensionExitFailed) -> None:
    _extension_reported(state, event, ExtensionAction.EXIT_ERROR)


def _registration_refusal(
    state: State,
    event: happened.ExtensionRegistered,
    extension: Extension | None,
    *,
    external: bool,
) -> tuple[str, str] | None:
    refusal = _event_refusal(state, event, external=external)
    if refusal is not None:
        return refusal
    if extension is None or not external:
        return _internal_refusal(state, extension)
    if extension.may(ExtensionAction.REGISTER):
        return None
    origin, target = extension.state.value, ExtensionAction.REGISTER.value
    text = transition_text(state, origin, target, f"extension {event.name}")
    return contract.ERROR_EXTENSION_INVALID_STATE, text


def _event_refusal(
    state: State, event: happened.ExtensionRegistered, *, external: bool
) -> tuple[str, str] | None:
    mode = state.settings.mode
    allowed = mode.external_events if external else mode.internal_events
    for name in event.events:
        if name not in allowed:
            text = f"{name}: ErrorInvalidEventType"
            if not external:
                text = mode.internal_refusals.get(name, text)
            return contract.ERROR_EXTENSION_INVALID_EVENT_TYPE, text
    return None


def _internal_refusal(state: State, taken: Extension | None) -> tuple[str, str] | None:
    if not state.is_registration_open():
        return contract.ERROR_EXTENSION_REGISTRATION_CLOSED, "Extension registration closed already"
    if len(state.extensions) >= contract.MAX_EXTENSIONS:
        limit = contract.MAX_EXTENSIONS
        return contract.ERROR_EXTENSION_TOO_MANY, f"Extension limit ({limit}) reached"
    if taken is not None:
        text = "Extension with this name already registered"
        return contract.ERROR_EXTENSION_INVALID_STATE, text
    return None


def _extension_reported(
    state: State,
    event: happened.ExtensionInitFailed | happened.ExtensionExitFailed,
    action: ExtensionAction,
) -> None:
    extension = state.by_identifier(event.identifier)
    if extension is None:
        text = f"Unknown {contract.HEADER_EXTENSION_IDENTIFIER}"
        _refuse_unknown_extension(state, event.exchange, text)
    elif not extension.may(action):
        _refuse_extension(state, event.exchange, extension, action)
    else:
        extension.step(action)
        extension.poll = None  # a parked next of an extension that gave up gets no event any more
        extension.error_type = extension.error_type or event.error_type
        state.effects.append(Reply(event.exchange, ACCEPTED))


def _refuse_extension(
    state: State, exchange: int, extension: Extension, action: ExtensionAction
) -> None:
    whom = f"extension {extension.identifier}"
    text = transition_text(state, extension.state.value, action.value, whom)
    refuse(state, exchange, 403, contract.ERROR_EXTENSION_INVALID_STATE, text)


def _refuse_unknown_extension(state: State, exchange: int, text: str) -> None:
    refuse(state, exchange, 403, contract.ERROR_EXTENSION_UNKNOWN_IDENTIFIER, text)
