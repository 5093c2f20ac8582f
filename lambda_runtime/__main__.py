"""`python -m lambda_runtime app.handler`: the runtime of a container image or a custom runtime."""

from __future__ import annotations

import sys

from lambda_runtime.start import main

sys.exit(main(sys.argv))
