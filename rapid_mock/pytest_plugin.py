"""pytest fixtures: a local Lambda, a function in it, an execution environment to play in.

    @pytest.mark.lambda_function(handler="app.handler", code="src", timeout=3)
    def test_greets(lambda_function):
        assert lambda_function.invoke({"name": "Ada"}).payload == {"greeting": "Hello, Ada"}

The report of a failing test carries the log and the events of what the test used. Every worker of
pytest-xdist has a local Lambda of its own, on a free port.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from rapid_mock import ExecutionEnvironment, Function, LocalLambda
    from rapid_mock.trace import Trace

_EVIDENCE: pytest.StashKey[list[tuple[str, Callable[[], str]]]] = pytest.StashKey()
_SERVER: pytest.StashKey[tuple[_Log, Trace]] = pytest.StashKey()
_LOG, _EVENTS = "rapid-mock: log", "rapid-mock: events"
_FUNCTION_MARKER = (
    "lambda_function(**settings): the function of the fixture lambda_function, with the settings "
    "of LocalLambda.create_function; `name` is made of the test's"
)
_ENVIRONMENT_MARKER = (
    "execution_environment(**settings): the settings of the fixture execution_environment, those "
    "of rapid_mock.ExecutionEnvironment"
)


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers."""
    config.addinivalue_line("markers", _FUNCTION_MARKER)
    config.addinivalue_line("markers", _ENVIRONMENT_MARKER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the fixtures saw to the report of a test that failed."""
    report = yield
    if report.failed:
        found = ((title, read()) for title, read in item.stash.get(_EVIDENCE, []))
        report.sections += [(title, text) for title, text in found if text]
    return report


@pytest.fixture(scope="session")
def local_lambda_options() -> dict[str, Any]:
    """Settings of `rapid_mock.LocalLambda` for the session: none; override it in a conftest.py."""
    return {}


@pytest.fixture(scope="session")
def local_lambda_server(
    request: pytest.FixtureRequest, local_lambda_options: dict[str, Any]
) -> Iterator[LocalLambda]:
    """One local Lambda for the whole session; `local_lambda` is what tests want."""
    local_lambda = _imported("LocalLambda")
    from rapid_mock.trace import Trace

    log, trace = _Log(), Trace()
    request.config.stash[_SERVER] = log, trace
    with local_lambda(**{"log_stream": log, "trace": trace, **local_lambda_options}) as running:
        yield running


@pytest.fixture
def local_lambda(
    local_lambda_server: LocalLambda, request: pytest.FixtureRequest
) -> Iterator[LocalLambda]:
    """A local Lambda without functions; those that the test creates end with it.

    Use `create_function`, `client` (a boto3 client), `endpoint_url`.
    """
    log, trace = request.config.stash[_SERVER]
    log.clear()
    trace.clear()
    _show(request, _LOG, lambda: log.text)
    _show(request, _EVENTS, lambda: "\n".join(trace.lines))
    yield local_lambda_server
    local_lambda_server.reset()


@pytest.fixture
def lambda_function(local_lambda: LocalLambda, request: pytest.FixtureRequest) -> Function:
    """The function that the marker `lambda_function` describes.

    Its keyword arguments are those of `LocalLambda.create_function`; the closest marker has the
    last word on each of them, so that a module can set what its tests have in common.
    """
    settings = _settings(request, "lambda_function")
    if not settings:
        pytest.fail("lambda_function needs @pytest.mark.lambda_function(handler=...)")
    name = settings.pop("name", None) or re.sub(r"[^A-Za-z0-9_-]", "-", request.node.name)[:64]
    return local_lambda.create_function(name, **settings)


@pytest.fixture
def execution_environment(request: pytest.FixtureRequest) -> Iterator[ExecutionEnvironment]:
    """An execution environment at wire level: the test plays its processes, and moves its clock.

    See `rapid_mock.ExecutionEnvironment`; the marker `execution_environment` has its settings.
    """
    kind = _imported("ExecutionEnvironment")
    with kind(**_settings(request, "execution_environment")) as environment:
        _show(request, _LOG, lambda: environment.log)
        _show(request, _EVENTS, lambda: "\n".join(environment.trace))
        yield environment


def _settings(request: pytest.FixtureRequest, marker: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for mark in request.node.iter_markers(marker):  # the closest first
        if mark.args:
            pytest.fail(f"@pytest.mark.{marker} takes keyword arguments only, not {mark.args[0]!r}")
        found = {**mark.kwargs, **found}
    return found


def _show(request: pytest.FixtureRequest, title: str, read: Callable[[], str]) -> None:
    request.node.stash.setdefault(_EVIDENCE, []).append((title, read))


def _imported(name: str) -> Any:
    import rapid_mock

    try:
        return getattr(rapid_mock, name)
    except ModuleNotFoundError as missing:
        pytest.fail(f"{missing.name} is missing: pip install 'lambda-runtime-sdk[mock]'")


class _Log:
    """What a local Lambda prints; a `Stream`."""

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def text(self) -> str:
        return self._data.decode("utf-8", "replace")

    def clear(self) -> None:
        self._data.clear()

    def write(self, data: bytes, /) -> None:
        self._data += data

    def flush(self) -> None:
        """Nothing is held back."""
