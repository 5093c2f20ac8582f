"""What subscriptions to telemetry do: check who asks and when, then tell the driver.

Sources: "Lambda Telemetry API reference" and "Lambda Logs API", AWS Lambda Developer Guide; texts:
RIE.
"""

from __future__ import annotations

from lambda_runtime import contract
from rapid_mock.lifecycle import events as happened
from rapid_mock.lifecycle.effects import Emit, Reply, Subscribe, Subscribed, SubscriptionRefused
from rapid_mock.lifecycle.refusals import refuse
from rapid_mock.lifecycle.shutdown import release_extensions
from rapid_mock.lifecycle.state import Extension, Phase, Stage, State
from rapid_mock.lifecycle.subscriptions import Subscription

CLOSED = {
    False: (contract.ERROR_TELEMETRY_CLOSED, "Telemetry API subscription is closed"),
    True: (contract.ERROR_LOGS_CLOSED, "Logs API subscription is closed"),
}
API_NAMES = {False: "Telemetry API", True: "Logs API"}


def telemetry_subscribed(state: State, event: happened.TelemetrySubscribed) -> None:
    """Subscriptions are taken in the init phase; a repeated one changes nothing."""
    extension = state.by_identifier(event.identifier)
    if extension is None:
        text = f"Unknown extension {event.identifier}"
        error_type = contract.ERROR_EXTENSION_UNKNOWN_IDENTIFIER
        refuse(state, event.exchange, 403, error_type, text)
    elif state.phase is not Phase.INIT:
        refuse(state, event.exchange, 403, *CLOSED[event.is_logs_api])
    elif isinstance(event.wanted, SubscriptionRefused):
        state.effects.append(Reply(event.exchange, event.wanted))
    elif extension.subscription is None:
        _subscribe(state, event, extension, event.wanted)
    elif extension.subscription.is_logs_api is not event.is_logs_api:
        state.effects.append(Reply(event.exchange, _other_api(extension, event)))
    else:
        state.effects.append(Reply(event.exchange, Subscribed()))


def telemetry_flushed(state: State, _event: happened.TelemetryFlushed) -> None:
    if state.stop is not None and state.stop.stage is Stage.TELEMETRY:
        release_extensions(state)


def _subscribe(
    state: State,
    event: happened.TelemetrySubscribed,
    extension: Extension,
    wanted: Subscription,
) -> None:
    extension.subscription = wanted
    is_logs_api = wanted.is_logs_api
    record_type = contract.PLATFORM_TELEMETRY_SUBSCRIPTION
    if is_logs_api:
        record_type = contract.PLATFORM_LOGS_SUBSCRIPTION
    members: dict[str, object] = {
        "name": extension.name,
        "state": "Subscribed",
        "types": list(wanted.types),
    }
    state.effects += [
        Subscribe(extension.name, wanted, event.connection),
        Emit(record_type, members),
        Reply(event.exchange, Subscribed()),
    ]


def _other_api(extension: Extension, event: happened.TelemetrySubscribed) -> SubscriptionRefused:
    asked, has = API_NAMES[event.is_logs_api], API_NAMES[not event.is_logs_api]
    text = f"{extension.name} is subscribed to the {has}; it cannot use the {asked} too"
    return SubscriptionRefused(
        text, contract.ERROR_LOGS_VALIDATION if event.is_logs_api else contract.ERROR_VALIDATION
    )
