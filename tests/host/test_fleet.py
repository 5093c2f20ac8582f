"""The fleet with an environment that never opens."""

from __future__ import annotations

import asyncio

from rapid_mock.errors import ServiceError
from rapid_mock.host.clock import ManualClock
from rapid_mock.host.environments import FunctionDefinition
from rapid_mock.host.fleet import Fleet, Pending, RunningEnvironment
from rapid_mock.host.isolation import FunctionSettings
from rapid_mock.host.launch import Launch
from rapid_mock.lifecycle.events import Invocation
from rapid_mock.service.concurrency import Account, Share
from rapid_mock.service.requests import InvokeAnswer


def test_a_request_id_in_use_is_refused() -> None:
    """A second invocation by the same id gets a 400 at once; the first still has its own answer."""
    answers: dict[str, InvokeAnswer | ServiceError] = {}

    async def open_nothing(
        _fleet: Fleet, _definition: FunctionDefinition, _is_provisioned: bool
    ) -> RunningEnvironment:
        await asyncio.sleep(0)
        raise OSError("no room")

    async def scenario() -> None:
        fleet = Fleet(share=Share(Account()), clock=ManualClock(), open_environment=open_nothing)
        settings = FunctionSettings("f", "/nowhere")
        pool = fleet.deploy(FunctionDefinition(settings, Launch((), "/nowhere", {})))
        for name in ("first", "second"):
            fleet.invoke(
                Pending(
                    Invocation("id", "arn", b"{}"),
                    pool,
                    lambda answer, name=name: answers.update({name: answer}),  # type: ignore[misc]
                    wait_for_report=False,
                )
            )
        assert list(answers) == ["second"]
        await fleet.shut_down()

    asyncio.run(scenario())
    refusal = answers["second"]
    assert isinstance(refusal, ServiceError)
    assert (refusal.status, refusal.members()) == (
        400,
        {"Type": "User", "message": "Request id id is in use."},
    )
    assert str(answers["first"]) == "no room"
