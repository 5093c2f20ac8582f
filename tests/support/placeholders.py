"""What stands in a recording for what differs from run to run: `<uuid:1>`, `<epoch_ms>` ..."""

from __future__ import annotations

import re

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TRACE = "Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]"
_KINDS = {
    "uuid": _UUID,
    "id": _UUID,
    "trace": _TRACE,
    "epoch_ms": r"\d{13}",
    "iso8601": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z",
    "runtime_api": r"127\.0\.0\.1:\d+",
    "ms": r"\d+(?:\.\d+)?",
    "float_ms": r"\d+\.\d+",
    "log_stream": r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}",
    "word": r"[A-Za-z.]+",
    "any": ".*",
}
_SAME = ("uuid", "trace", "runtime_api")
"""Placeholders that stand for one value in a whole scenario; `id` is a uuid of no importance."""
_PLACEHOLDER = re.compile(r"<(" + "|".join(_KINDS) + r")(?::([\w.]+))?(\|upper)?>")


class Bindings:
    """What the placeholders of one scenario stand for, as far as is known."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def fill(self, text: str) -> str | None:
        """The text with its placeholders replaced; None when one is not known yet."""
        for match in _PLACEHOLDER.finditer(text):
            value = self.values.get(_key(match))
            if value is None:
                return None
            text = text.replace(match[0], value.upper() if match[3] else value)
        return text

    def matches(self, template: str, text: str) -> bool:
        """Whether a text is what the template says; it then binds what was not known."""
        keys: list[str] = []
        pattern, last = "", 0
        for match in _PLACEHOLDER.finditer(template):
            pattern += re.escape(template[last : match.start()])
            last = match.end()
            key = _key(match)
            if key in self.values:
                pattern += re.escape(self.values[key])
            elif key in keys:
                pattern += rf"(?P=k{keys.index(key)})"
            elif match[1] in _SAME:
                pattern += f"(?P<k{len(keys)}>{_KINDS[match[1]]})"
                keys.append(key)
            else:
                pattern += _KINDS[match[1]]
        found = re.fullmatch(pattern + re.escape(template[last:]), text, re.DOTALL)
        if found is None:
            return False
        fresh = {key: found[f"k{number}"] for number, key in enumerate(keys)}
        if set(fresh.values()) & set(self.values.values()):
            return False  # two names, one value
        self.values |= fresh
        return True


def _key(match: re.Match[str]) -> str:
    return f"{match[1]}:{match[2]}"


def placeholders(text: str) -> set[str]:
    """The keys of all placeholders in a text."""
    return {_key(match) for match in _PLACEHOLDER.finditer(text)}
