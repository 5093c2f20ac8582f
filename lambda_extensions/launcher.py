"""How an extension in a layer starts: a sh script finds a Python and becomes it."""

from __future__ import annotations

SHELL = """\
#!/bin/sh
# Starts the extension {name}; made by lambda_extensions.
root="${{0%/*}}/../{name}"
for python in "$root/python/bin/python3" /var/lang/bin/python3 "$(command -v python3)"; do
    if [ -x "$python" ]; then
        exec "$python" "$root/launch.py" "$0"
    fi
done
echo "lambda_extensions: extension \\"{name}\\" needs a Python, and this function has none:" \\
    "build its layer with --bundle-python" >&2
exit 1
"""
"""The bundled Python first, then the function's own, then whatever there is."""

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
