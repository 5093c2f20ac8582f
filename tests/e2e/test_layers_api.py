"""Layers through the Lambda API, and the functions that have them."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import ROOT, Serving
from tests.support.lambda_api import (
    ROLE,
    client_of,
    create,
    invoke,
    refusal,
    wait_updated,
    zip_of,
)
from tests.support.recorded_texts import archive_with

PYTHON = f"python3.{sys.version_info[1]}"
LAYER = "arn:aws:lambda:us-east-1:123456789012:layer:"
USES = "import words\ndef handler(event, context):\n    return words.WORD\n"
EXTENSION = """
from lambda_extensions import Extension

extension = Extension()

@extension.on_invoke
def invoked(event):
    print("the extension saw", event.request_id, flush=True)

extension.run()
"""


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with Serving() as serving:
        yield serving


@pytest.fixture
def client(serving: Serving) -> Iterator[Any]:
    with client_of(serving.url) as client:
        yield client
        for function in client.list_functions()["Functions"]:
            client.delete_function(FunctionName=function["FunctionName"])
        for layer in client.list_layers()["Layers"]:
            name = layer["LayerName"]
            for version in client.list_layer_versions(LayerName=name)["LayerVersions"]:
                client.delete_layer_version(LayerName=name, VersionNumber=version["Version"])


def publish(client: Any, name: str, word: str, place: str = "python/words.py") -> str:
    content = {"ZipFile": zip_of(f"WORD = {word!r}\n", place)}
    return str(client.publish_layer_version(LayerName=name, Content=content)["LayerVersionArn"])


def test_a_layer_is_published_found_and_deleted(client: Any) -> None:
    """Each version has its number, its ARN and its content; a deleted number is not used again."""
    made = client.publish_layer_version(
        LayerName="words",
        Description="d",
        LicenseInfo="MIT",
        CompatibleRuntimes=[PYTHON],
        Content={"ZipFile": zip_of("WORD = 1", "python/words.py")},
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (made["LayerArn"], made["LayerVersionArn"]) == (f"{LAYER}words", f"{LAYER}words:1")
    assert (made["Version"], made["Description"], made["LicenseInfo"]) == (1, "d", "MIT")
    with urllib.request.urlopen(made["Content"]["Location"], timeout=10) as answer:
        assert answer.read() == zip_of("WORD = 1", "python/words.py")
    assert publish(client, "words", "two") == f"{LAYER}words:2"
    listed = client.list_layer_versions(LayerName="words")["LayerVersions"]
    assert [each["Version"] for each in listed] == [2, 1]
    assert client.list_layer_versions(LayerName="none")["LayerVersions"] == []
    (layer,) = client.list_layers()["Layers"]
    assert (layer["LayerName"], layer["LatestMatchingVersion"]["Version"]) == ("words", 2)
    got = client.get_layer_version(LayerName="words", VersionNumber=1)
    same = client.get_layer_version_by_arn(Arn=f"{LAYER}words:1")
    for answer in (got, same):
        answer.pop("ResponseMetadata")
    assert got == same
    for _ in range(2):
        client.delete_layer_version(LayerName="words", VersionNumber=2)
    missing = (404, "ResourceNotFoundException", "The resource you requested does not exist.")
    arguments = {"LayerName": "words", "VersionNumber": 2}
    assert refusal(client, "get_layer_version", **arguments) == missing
    assert publish(client, "words", "three") == f"{LAYER}words:3"
    only = client.list_layer_versions(LayerName="words", CompatibleRuntime=PYTHON)
    assert [each["Version"] for each in only["LayerVersions"]] == [1]


@pytest.mark.parametrize(
    "place", ["python/words.py", f"python/lib/{PYTHON}/site-packages/words.py"]
)
def test_a_function_imports_from_its_layer(client: Any, place: str) -> None:
    """Modules in a layer's `python` directories can be imported; another layer replaces them."""
    one, two = publish(client, "one", "first", place), publish(client, "two", "second", place)
    create(client, "f", USES, Runtime=PYTHON, Layers=[one])
    (shown,) = client.get_function_configuration(FunctionName="f")["Layers"]
    assert shown == {"Arn": one, "CodeSize": len(zip_of("WORD = 'first'\n", place))}
    assert invoke(client, "f") == "first"
    client.update_function_configuration(FunctionName="f", Layers=[two])
    wait_updated(client, "f")
    assert invoke(client, "f") == "second"
    client.update_function_configuration(FunctionName="f", Layers=[one, two])
    wait_updated(client, "f")
    assert invoke(client, "f") == "second"
    client.update_function_configuration(FunctionName="f", Layers=[])
    wait_updated(client, "f")
    assert "Layers" not in client.get_function_configuration(FunctionName="f")


def test_a_function_keeps_a_layer_that_was_deleted(client: Any) -> None:
    """A deleted version goes on in functions that have it, and cannot be given to others."""
    arn = publish(client, "kept", "kept")
    create(client, "f", USES, Runtime=PYTHON, Layers=[arn])
    client.delete_layer_version(LayerName="kept", VersionNumber=1)
    client.update_function_configuration(FunctionName="f", Timeout=5, Layers=[arn])
    wait_updated(client, "f")
    assert invoke(client, "f") == "kept"
    assert refusal(
        client,
        "create_function",
        FunctionName="g",
        Runtime=PYTHON,
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": zip_of(USES)},
        Layers=[arn],
    ) == (400, "InvalidParameterValueException", f"Layer version {arn} does not exist.")


def test_two_versions_of_one_layer_are_refused(client: Any) -> None:
    """A function has at most one version of a layer."""
    one, two = publish(client, "words", "1"), publish(client, "words", "2")
    create(client, "f", USES, Runtime=PYTHON, Layers=[one])
    answer = refusal(client, "update_function_configuration", FunctionName="f", Layers=[one, two])
    assert answer == (
        400,
        "InvalidParameterValueException",
        "Two different versions of the same layer are not allowed to be referenced in the same "
        f"function. {one} and {two} are versions of the same layer.",
    )


def test_code_and_layers_together_have_a_limit(client: Any) -> None:
    """Unpacked they are at most 262,144,000 bytes; more is a 400 that says how many."""
    large = archive_with("large", 150 << 20)
    layer = client.publish_layer_version(LayerName="large", Content={"ZipFile": large})
    arguments = {
        "FunctionName": "f",
        "Runtime": PYTHON,
        "Role": ROLE,
        "Handler": "app.handler",
        "Code": {"ZipFile": large},
        "Layers": [layer["LayerVersionArn"]],
    }
    too_large = (
        400,
        "InvalidParameterValueException",
        "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. "
        "The actual size is 314572800 bytes.",
    )
    assert refusal(client, "create_function", **arguments) == too_large
    create(client, "f", "", Runtime=PYTHON, Layers=[layer["LayerVersionArn"]])
    answer = refusal(client, "update_function_code", FunctionName="f", ZipFile=large)
    assert answer == too_large


def test_an_extension_built_as_a_layer_runs(serving: Serving, client: Any, tmp_path: Path) -> None:
    """What `python -m lambda_extensions build` writes is published, attached, started and told."""
    source, layer = tmp_path / "main.py", tmp_path / "layer.zip"
    source.write_text(EXTENSION)
    command = [sys.executable, "-m", "lambda_extensions", "build", str(source)]
    command += ["--name", "shipper", "-o", str(layer)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    made = client.publish_layer_version(
        LayerName="shipper", Content={"ZipFile": layer.read_bytes()}
    )
    create(
        client,
        "f",
        "def handler(e, c): return 1",
        Runtime=PYTHON,
        Timeout=20,
        Layers=[made["LayerVersionArn"]],
    )
    assert invoke(client, "f") == 1
    assert "the extension saw" in serving.wait_for("the extension saw")
