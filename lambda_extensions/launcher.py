"""How an extension in a layer starts: a sh script finds a Python and becomes it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = "lambda_extensions_launch.py"
"""Beside the author's code, under a name that this has not."""

SHELL = """\
#!/bin/sh
# Starts the extension {name}; made by lambda_extensions.
root="${{0%/*}}/../{name}"
for python in "$root/python/bin/python3" {places}; do
    if [ -x "$python" ]; then
        exec "$python" "$root/{file}" "$0"
    fi
done
for python in {names}; do
    if command -v "$python" >/dev/null; then
        exec "$python" "$root/{file}" "$0"
    fi
done
echo "lambda_extensions: extension \\"{name}\\" needs a Python, and this function has none:" \\
    "build its layer with --bundle-python" >&2
exit 1
"""
"""The bundled Python first, then the function's own, then whatever there is; it never forks."""

PYTHON = """\
import sys

VERSIONS = {versions!r}
own = "%d.%d" % sys.version_info[:2]
if sys.version_info < (3, 11) or (VERSIONS and own not in VERSIONS):
    wanted = " or ".join(VERSIONS) or "3.11 or later"
    sys.exit('lambda_extensions: extension "{name}" needs Python %s, this is %s' % (wanted, own))

import _frozen_importlib_external as files

sys.argv[:] = sys.argv[1:]  # the launcher, by whose name Lambda knows the extension
path = sys.path[0] + "/main.py"
code = files.SourceFileLoader("__main__", path).get_code("__main__")
sys.modules["__main__"].__dict__["__file__"] = path
exec(code, sys.modules["__main__"].__dict__)
"""
"""Runs main.py as if it had been started, from its bytecode, under the launcher's name."""

SUITABLE = ("3.14", "3.13", "3.12", "3.11")
LANGUAGE = "/var/lang/bin/"
"""Where Lambda's images have the Python of a function."""


def shell(name: str, versions: Sequence[str], *, is_strict: bool) -> str:
    """The launcher: tries Pythons of these versions by name first, whose bytecode is there.

    `is_strict`: no others will do, but one without a version in its name may be of them.
    """
    others = [] if is_strict else [one for one in SUITABLE if one not in versions]
    names = [f"python{one}" for one in versions]
    names += ["python3", *(f"python{one}" for one in others)]
    places = " ".join(LANGUAGE + one for one in names)
    return SHELL.format(name=name, file=FILE, places=places, names=" ".join(names))
