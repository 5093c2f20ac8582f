"""`python -m rapid_mock` is `rapid-mock`."""

from __future__ import annotations

import sys

from rapid_mock.cli import main

sys.exit(main())
