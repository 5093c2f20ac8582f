"""Where deployment packages can be fetched again: AWS gives a URL of S3, we one of our own."""

from __future__ import annotations

import secrets
from pathlib import Path

from rapid_mock.host.code_store import CodeStore
from rapid_mock.service.versions import Code

CODE_PATH = "/rapid-mock/code/{token}"


class Downloads:
    """Each URL holds a token that nobody can guess; it serves as long as the code is kept."""

    def __init__(self, store: CodeStore) -> None:
        self._store = store
        self._paths: dict[str, Path] = {}
        self._tokens: dict[Path, str] = {}

    def location(self, code: Code, base_url: str) -> str:
        """A URL of this service, or of the directory that is used in place."""
        path = self._store.archive(code)
        if path is None:
            return Path(code.place).absolute().as_uri()
        token = self._tokens.setdefault(path, secrets.token_urlsafe(16))
        self._paths[token] = path
        return base_url + CODE_PATH.format(token=token)

    def find(self, token: str) -> bytes | None:
        """The archive of a token; None for one that nobody was told of, or that is gone."""
        path = self._paths.get(token)
        return path.read_bytes() if path is not None and path.exists() else None
