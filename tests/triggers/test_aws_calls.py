"""boto3's calls of pollers: few threads, long polls apart, failures in one form."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from rapid_mock.errors import CallFailed, SetupError
from rapid_mock.host.watchdog import Watchdog
from rapid_mock.triggers.aws import POLL_THREADS, Aws, AwsPlace
from tests.support.embedded_aws import EmbeddedAws


@asynccontextmanager
async def reached(place: AwsPlace) -> AsyncIterator[Aws]:
    aws, watchdog = Aws(place), Watchdog()
    await aws.start(watchdog)
    try:
        yield aws
    finally:
        await aws.close(watchdog)
        watchdog.close()


async def failure(aws: Aws, operation: str, **arguments: str) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        await aws.calls("us-east-1").call("sqs", operation, **arguments)
    return failed.value


def test_refusals(aws: EmbeddedAws) -> None:
    """A refusal has the service's code and message; so has a call that boto3 does not make."""

    async def call() -> None:
        async with reached(AwsPlace(aws.url)) as reach:
            refused = await failure(reach, "get_queue_url", QueueName="none")
            assert refused.code == "AWS.SimpleQueueService.NonExistentQueue"
            assert str(refused) == "The specified queue does not exist."
            wrong = await failure(reach, "get_queue_url")
            assert wrong.code == "ParamValidationError"

    asyncio.run(call())


def test_unreachable() -> None:
    """Where nobody listens the failure says so."""

    async def call() -> None:
        async with reached(AwsPlace("http://127.0.0.1:1")) as reach:
            failed = await failure(reach, "list_queues")
            assert failed.code == "EndpointConnectionError"
            assert "http://127.0.0.1:1" in str(failed)

    asyncio.run(call())


def test_clients_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine's configuration forbids fails as a call does."""
    monkeypatch.setenv("AWS_PROFILE", "none")

    async def call() -> None:
        async with reached(AwsPlace("http://127.0.0.1:1")) as reach:
            assert (await failure(reach, "list_queues")).code == "ProfileNotFound"

    asyncio.run(call())


def test_many_long_polls(aws: EmbeddedAws) -> None:
    """However many long polls there are, threads stay few, and other calls are not held up."""

    async def poll() -> None:
        async with reached(AwsPlace(aws.url)) as reach:
            calls = reach.calls("us-east-1")
            queue = await calls.call("sqs", "create_queue", QueueName="polls")
            url = queue["QueueUrl"]
            polls = [
                asyncio.create_task(
                    calls.wait("sqs", "receive_message", QueueUrl=url, WaitTimeSeconds=1)
                )
                for _ in range(POLL_THREADS * 2)
            ]
            await calls.call("sqs", "list_queues")
            assert not all(poll.done() for poll in polls)
            names = [thread.name for thread in threading.enumerate()]
            assert sum(name.startswith("rapid-mock-poll") for name in names) == POLL_THREADS
            await asyncio.gather(*polls)

    asyncio.run(poll())


def test_without_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where boto3 is not installed one sentence says what to install."""
    monkeypatch.setattr("rapid_mock.triggers.aws.find_spec", lambda _name: None)
    with pytest.raises(SetupError, match=r"pip install 'lambda-runtime-sdk\[aws\]'"):
        asyncio.run(Aws(AwsPlace("http://127.0.0.1:1")).start(Watchdog()))


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (AwsPlace("elsewhere"), "--aws is embedded or a URL, not elsewhere"),
        (AwsPlace(None), "AWS itself needs credentials"),
    ],
)
def test_places_that_are_none(place: AwsPlace, sentence: str) -> None:
    """A place is the embedded AWS, a URL, or AWS itself with credentials."""
    with pytest.raises(SetupError, match=sentence):
        Aws(place)
