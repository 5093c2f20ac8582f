"""The variables a child process sees."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rapid_mock.host.isolation import FunctionSettings, child_environment, host_credentials
from rapid_mock.lifecycle.effects import ProcessKind

FUNCTION = FunctionSettings(
    name="hello", code_directory="/home/ada/hello", handler="app.handler", memory_mb=512
)
HOST = {
    "PATH": "/home/ada/bin:/usr/bin/:/bin",
    "HOME": "/home/ada",
    "TMPDIR": "/scratch",
    "SSL_CERT_FILE": "/etc/ca.pem",
    "SSL_CERT_DIR": "/etc/ca",
    "LD_LIBRARY_PATH": "/evil",
    "PYTHONPATH": "/evil",
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "REAL",
    "AWS_SECRET_ACCESS_KEY": "REAL",
    "AWS_SESSION_TOKEN": "REAL",
    "AWS_REGION": "eu-west-1",
    "LANG": "de_DE",
    "TZ": "Europe/Berlin",
    "_X_AMZN_TRACE_ID": "evil",
}
LOG_STREAM = "2026/11/23/[$LATEST]0123456789abcdef0123456789abcdef"


def runtime(
    function: FunctionSettings = FUNCTION,
    *,
    kind: ProcessKind = ProcessKind.RUNTIME,
    host: Mapping[str, str] = HOST,
    extra: Mapping[str, str] | None = None,
    credentials: Mapping[str, str] | None = None,
    metadata: tuple[str, str] | None = None,
) -> dict[str, str]:
    return child_environment(
        function,
        kind=kind,
        runtime_api="127.0.0.1:9001",
        log_stream=LOG_STREAM,
        host=host,
        extra=extra or {},
        credentials=credentials,
        metadata=metadata,
    )


def extension(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return runtime(kind=ProcessKind.EXTENSION, extra=extra, metadata=("127.0.0.1:9002", "t0ken"))


def test_runtime_sees_the_variables_of_aws_and_nothing_else() -> None:
    """A runtime's environment is AWS's, with the host's PATH, HOME, TMPDIR and SSL_CERT_*."""
    assert runtime() == {
        "PATH": "/home/ada/bin:/usr/bin/:/bin:/var/lang/bin:/usr/local/bin:/opt/bin",
        "HOME": "/home/ada",
        "TMPDIR": "/scratch",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "SSL_CERT_DIR": "/etc/ca",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "_HANDLER": "app.handler",
        "LAMBDA_TASK_ROOT": "/home/ada/hello",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_LAMBDA_FUNCTION_NAME": "hello",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/hello",
        "AWS_LAMBDA_LOG_STREAM_NAME": LOG_STREAM,
        "AWS_LAMBDA_LOG_FORMAT": "Text",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "RAPIDMOCKDUMMYKEY",
        "AWS_SECRET_ACCESS_KEY": "rapid-mock-dummy-secret",
        "AWS_SESSION_TOKEN": "rapid-mock-dummy-token",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129:2000",
        "_AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129",
        "_AWS_XRAY_DAEMON_PORT": "2000",
    }


def test_extension_sees_what_aws_does_not_withhold() -> None:
    """An extension sees the same without the ten withheld names and without leading underscores."""
    assert extension({"_PRIVATE": "1", "PUBLIC": "2"}) == {
        "PATH": "/home/ada/bin:/usr/bin/:/bin:/var/lang/bin:/usr/local/bin:/opt/bin",
        "HOME": "/home/ada",
        "TMPDIR": "/scratch",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "SSL_CERT_DIR": "/etc/ca",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PUBLIC": "2",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_LAMBDA_METADATA_API": "127.0.0.1:9002",
        "AWS_LAMBDA_METADATA_TOKEN": "t0ken",
        "AWS_LAMBDA_FUNCTION_NAME": "hello",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_FORMAT": "Text",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "RAPIDMOCKDUMMYKEY",
        "AWS_SECRET_ACCESS_KEY": "rapid-mock-dummy-secret",
        "AWS_SESSION_TOKEN": "rapid-mock-dummy-token",
    }


def test_bare_host_gives_the_path_of_aws() -> None:
    """Without variables on the host a child still has AWS's PATH, and no invented HOME."""
    variables = runtime(host={})
    assert variables["PATH"] == "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"
    assert "HOME" not in variables


def test_settings_of_a_function_are_told() -> None:
    """What can be set on a function arrives under AWS's names."""
    function = FunctionSettings(
        name="f",
        code_directory="/f",
        version="7",
        region="eu-central-1",
        log_format="JSON",
        log_level="DEBUG",
        log_group="/own/group",
        initialization_type="provisioned-concurrency",
        max_concurrency=8,
        execution_env="AWS_Lambda_python3.13",
    )
    expected = {
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/own/group",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency",
        "AWS_LAMBDA_MAX_CONCURRENCY": "8",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    }
    variables = runtime(function)
    assert {name: variables.get(name) for name in expected} == expected
    assert "_HANDLER" not in variables


def test_user_variables_win_over_all_that_is_not_reserved() -> None:
    """The user may set PATH, HOME, LD_LIBRARY_PATH, TZ and anything AWS has not reserved."""
    extra = {
        "PATH": "/mine",
        "HOME": "/root",
        "LD_LIBRARY_PATH": "/opt/lib",
        "TZ": "Asia/Tokyo",
        "LANG": "C",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper",
        "EMPTY": "",
    }
    variables = runtime(extra=extra)
    assert {name: variables[name] for name in extra} == extra


@pytest.mark.parametrize(
    "name",
    [
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_METADATA_API",
        "AWS_LAMBDA_METADATA_TOKEN",
    ],
)
def test_reserved_variable_is_refused_by_name(name: str) -> None:
    """A name that AWS reserves is refused; the refusal names it and does not tell its value."""
    with pytest.raises(
        ValueError, match=rf"^the environment variable {name} is reserved"
    ) as caught:
        runtime(extra={"FINE": "1", name: "hidden"})
    assert "hidden" not in repr(caught.value)


@pytest.mark.parametrize("name", ["", "A=B", "A\0B"])
def test_impossible_name_is_refused(name: str) -> None:
    """What no environment can carry as a name is refused without its value."""
    with pytest.raises(ValueError, match="cannot be the name of an environment variable") as caught:
        runtime(extra={name: "hidden"})
    assert "hidden" not in repr(caught.value)


def test_credentials_are_handed_on_only_when_asked() -> None:
    """Given credentials replace all dummies: without a session token there is none."""
    given = host_credentials({"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S", "X": "1"})
    assert given == {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S"}
    variables = runtime(credentials=given)
    assert variables["AWS_ACCESS_KEY_ID"] == "A"
    assert variables["AWS_SECRET_ACCESS_KEY"] == "S"
    assert "AWS_SESSION_TOKEN" not in variables
