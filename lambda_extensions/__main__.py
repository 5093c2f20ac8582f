"""`python -m lambda_extensions`."""

from __future__ import annotations

import sys

from lambda_extensions.cli import main

if __name__ == "__main__":
    sys.exit(main())
