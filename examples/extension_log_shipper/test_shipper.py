"""The shipper's tests: its handler with made records, then the whole beside a function.

pip install 'lambda-runtime-sdk[mock]' pytest pytest-httpserver
pytest examples/extension_log_shipper
"""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from lambda_extensions import testing

HERE = Path(__file__).parent
SHIPPER = HERE / "shipper"


@pytest.fixture
def shipper(httpserver, monkeypatch):
    """The extension's object, initialised, with an endpoint that a test scripts."""
    monkeypatch.setenv("LOG_ENDPOINT", httpserver.url_for("/logs"))
    made = runpy.run_path(str(SHIPPER))["Shipper"]("shipper")
    made.init(SimpleNamespace(function_name="hello"))
    with made.session:
        yield made


def test_lines_are_posted_as_json(shipper, httpserver):
    httpserver.expect_oneshot_request(
        "/logs",
        json=[
            {"time": testing.TIME, "function": "hello", "message": "plain"},
            {"time": testing.TIME, "function": "hello", "message": {"level": "INFO"}},
        ],
    ).respond_with_data("")
    shipper.records([testing.function_log("plain"), testing.function_log({"level": "INFO"})])
    httpserver.check()


def test_refused_post_is_a_failure_so_that_the_lines_come_again(shipper, httpserver):
    httpserver.expect_request("/logs").respond_with_data("", status=503)
    with pytest.raises(OSError, match="503"):
        shipper.records([testing.function_log("line")])


def test_lost_lines_are_printed(shipper, capsys):
    shipper.dead_letter([testing.function_log("line")])
    assert capsys.readouterr().out == f"not shipped: {testing.TIME} line\n"


def test_beside_a_function(local_lambda, httpserver):
    httpserver.expect_request("/logs", method="POST").respond_with_data("")
    hello = local_lambda.create_function(
        "hello",
        handler="app.handler",
        code=HERE.parent / "hello",
        extensions=[SHIPPER],
        environment={"LOG_ENDPOINT": httpserver.url_for("/logs")},
    )
    hello.invoke({"requestContext": {"http": {"method": "GET"}}, "rawPath": "/hello"})
    request, _ = httpserver.log[0]  # the first invocations wait until their lines are delivered
    assert [line["message"].rstrip("\n") for line in request.get_json()] == ["GET /hello for world"]
