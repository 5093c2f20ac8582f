"""Functions that are changed while they are invoked: nothing is lost, nothing old comes back."""

from __future__ import annotations

import io
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from rapid_mock import LocalLambda
from tests.support.lambda_api import create, invoke, wait_updated, zip_of
from tests.support.peers import wait_until

PYTHON = f"python3.{sys.version_info[1]}"
SAYS = "def handler(event, context):\n    return {}\n"
CALLERS, UPDATES = 4, 5
WAITS = """
import pathlib, time
def handler(event, context):
    place = pathlib.Path(event["place"])
    (place / ("{name}-" + event["id"])).touch()
    while not (place / "go").exists():
        time.sleep(0.002)
"""


@pytest.fixture
def local() -> Iterator[LocalLambda]:
    with LocalLambda(log_stream=io.BytesIO(), time_scale=20) as running:
        yield running


@contextmanager
def calling(local: LocalLambda, name: str) -> Iterator[list[list[Any]]]:
    """Inside the block callers invoke as fast as they can; what each was answered, in order."""
    answers: list[list[Any]] = [[] for _ in range(CALLERS)]
    stop = threading.Event()

    def call(own: list[Any]) -> None:
        once = Config(retries={"total_max_attempts": 1})
        with closing(local.client("lambda", config=once)) as client:
            while not stop.is_set():
                try:
                    own.append(invoke(client, name))
                except ClientError as error:
                    own.append(error)

    threads = [threading.Thread(target=call, args=(own,)) for own in answers]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def test_new_code_comes_while_the_function_is_invoked(local: LocalLambda) -> None:
    """No caller hears of the change, and none is served by older code than the time before."""
    with closing(local.client("lambda")) as client:
        create(client, "f", SAYS.format(0), Runtime=PYTHON)
        with calling(local, "f") as answers:
            for number in range(1, UPDATES + 1):
                client.update_function_code(FunctionName="f", ZipFile=zip_of(SAYS.format(number)))
                wait_updated(client, "f")
                assert invoke(client, "f") == number
                version = client.publish_version(FunctionName="f")["Version"]
                assert invoke(client, f"f:{version}") == number
    for own in answers:
        assert own == sorted(own), "an answer is an error, or older than the one before"
        assert own[-1] == UPDATES


def test_a_function_goes_and_comes_while_it_is_invoked(local: LocalLambda) -> None:
    """Callers get its result, or hear that it is not there, or not yet."""
    with closing(local.client("lambda")) as client:
        create(client, "f", SAYS.format(0), Runtime=PYTHON)
        with calling(local, "f") as answers:
            for number in range(1, 4):
                client.delete_function(FunctionName="f")
                create(client, "f", SAYS.format(number), Runtime=PYTHON)
                assert invoke(client, "f") == number
    for own in answers:
        errors = {type(answer).__name__ for answer in own if isinstance(answer, Exception)}
        results = [answer for answer in own if not isinstance(answer, Exception)]
        assert errors <= {"ResourceNotFoundException", "ResourceConflictException"}
        assert results == sorted(results)
        assert len(results) > 0


def test_a_queued_event_runs_on_new_code(local: LocalLambda, tmp_path: Path) -> None:
    """An event that waits for room while code is updated is served by the new code."""
    with closing(local.client("lambda")) as client:
        create(client, "f", WAITS.format(name="old"), Runtime=PYTHON, Timeout=30)
        client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
        for name in ("first", "second"):
            event = json.dumps({"place": str(tmp_path), "id": name}).encode()
            client.invoke(FunctionName="f", InvocationType="Event", Payload=event)
            wait_until((tmp_path / "old-first").exists, seconds=20, what="the first event")
        client.update_function_code(FunctionName="f", ZipFile=zip_of(WAITS.format(name="new")))
        wait_updated(client, "f")
        (tmp_path / "go").touch()
        wait_until((tmp_path / "new-second").exists, seconds=20, what="the second event")
        assert not (tmp_path / "old-second").exists()
