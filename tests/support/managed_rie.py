"""AWS's emulator in its mode for managed instances, with places for it that are the test's.

RIE runs its processes as uid 993 and looks at the real /opt and /var/task: it runs in a mount
namespace of its own, where the interpreter and the SDK get places that this user may read.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import write_executable
from tests.support.peers import REPOSITORY, RuntimeInterfaceEmulator

AS_MANAGED = """
set -e
mount -t tmpfs none /srv && mkdir /srv/python /srv/sdk /srv/peers
mount --bind "$1" /srv/python && mount --bind "$2" /srv/sdk && mount --bind "$4" /srv/peers
mount -t tmpfs none /var && mkdir /var/task && mount --bind "$3" /var/task
mount --bind "$0" /opt
cd /var/task && shift 4 && exec "$@"
"""
ENVIRONMENT = {
    "PATH": "/srv/python/bin:/usr/bin:/bin",
    "LD_LIBRARY_PATH": "/srv/python/lib",
    "PYTHONPATH": "/srv/sdk:/srv/peers",
    "PYTHONDONTWRITEBYTECODE": "1",
    "AWS_LAMBDA_FUNCTION_NAME": "hello",
    "AWS_LAMBDA_MAX_CONCURRENCY": "1",
}
SUPERVISED = ("setpriv", "--reuid=993", "--regid=990", "--clear-groups")


def managed_rie(
    rie_binary: Path,
    directory: Path,
    opt: Path,
    task: Path,
    module: str = "lambda_runtime",
    handler: str = "app.handler",
    **env: str,
) -> RuntimeInterfaceEmulator:
    """RIE for the function in `task`, run by `python -m module`, with the extensions in `opt`.

    `AWS_LAMBDA_MAX_CONCURRENCY` among `env` is how many invocations at once there may be.
    """
    write_executable(task / "bootstrap", f"#!/bin/sh\nexec python3 -m {module} {handler}\n")
    return RuntimeInterfaceEmulator(
        Path(shutil.copy(rie_binary, directory)),
        ["/var/task/bootstrap"],
        env={**ENVIRONMENT, **env},
        prefix=_prefix(opt, task),
    )


def require_managed_rie(opt: Path, task: Path) -> None:
    """Skip the calling test where RIE's user cannot be set up."""
    for path in (opt, opt / "extensions", task):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o755)
    command = (*_prefix(opt, task), *SUPERVISED, "python3", "-c", "import lambda_extensions")
    if not all(shutil.which(name) for name in (command[0], SUPERVISED[0])):
        pytest.skip("unshare or setpriv is missing")
    probe = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    if probe.returncode:
        pytest.skip(f"RIE's user cannot be set up here: {probe.stderr.strip()}")


def _prefix(opt: Path, task: Path) -> tuple[str, ...]:
    """What runs a command there; of the peers all that this interpreter has installed."""
    installed = Path(pytest.__file__).parents[1]
    places = (str(opt), sys.base_prefix, str(REPOSITORY), str(task), str(installed))
    return ("unshare", "--mount", "sh", "-c", AS_MANAGED, *places)
