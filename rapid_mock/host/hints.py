"""What would help, where the last words of a failed process tell a known want of this machine."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from lambda_runtime import contract

HOSTS = Path("/etc/hosts")
_UNRESOLVED = ("gaierror", "getaddrinfo", "no such host", "lookup address", "Name or service")
"""How Python, Node, Go, Rust and the C library say that a name has no address."""


def hint(last_words: str, hosts: Path = HOSTS) -> str | None:
    """A sentence of advice, or None; only a name of Lambda's own that nobody resolves here."""
    name = contract.DESTINATION_HOSTS[0]
    if "sandbox" not in last_words or not any(words in last_words for words in _UNRESOLVED):
        return None
    with suppress(OSError):
        if name in hosts.read_text("utf-8", "replace"):
            return None
    names = " ".join(contract.DESTINATION_HOSTS)
    return (
        f'{name} does not resolve on this machine: add the line "127.0.0.1 {names}" to {hosts}, '
        "or use --isolation namespace"
    )
