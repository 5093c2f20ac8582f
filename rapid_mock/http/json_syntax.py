"""Where a text stops being JSON, in the words of the parser inside AWS's emulator.

`json.loads` is faster but words its faults otherwise and takes NaN; it runs first, this scanner
names the fault. It keeps its own stack, so deep nesting costs no recursion.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, NoReturn

MAX_DEPTH = 10_000
"""Nesting that Go's `encoding/json` allows."""

_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*+')
_HEX = re.compile(rb"[0-9a-fA-F]*+")
_DIGITS = re.compile(rb"[0-9]*+")
_LITERALS = {b"t": b"true", b"f": b"false", b"n": b"null"}
_BRACKETS = {b"{": b"}", b"[": b"]"}
_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"} | {
    ord(mark): f"\\{mark}" for mark in "'\\"
}

_VALUE = "looking for beginning of value"
_KEY = "looking for beginning of object key string"


class SyntaxFault(NamedTuple):
    """The first byte that cannot be JSON: its offset, the byte (None: the end), and the context."""

    offset: int
    byte: int | None = None
    context: str = ""

    def __str__(self) -> str:
        """Go's text: `invalid character 'b' looking for beginning of value`."""
        if self.byte is None:
            return "unexpected end of JSON input"
        return f"invalid character '{_quoted(self.byte)}' {self.context}"


def find_syntax_fault(text: bytes) -> SyntaxFault | None:
    """Find the first fault of a JSON text; None when there is none.

    Like Go's scanner this feeds one space at the end of the input: where a space is impossible,
    the space is what it complains about.
    """
    scanner = _Scanner(text + b" ")
    step: _Step = scanner.value
    try:
        while not scanner.is_done():
            step = step()
    except _Unexpected as fault:
        if fault.offset >= len(scanner.text):
            return SyntaxFault(len(text))
        return SyntaxFault(fault.offset, scanner.text[fault.offset], fault.context)
    return None


class _Unexpected(Exception):
    def __init__(self, offset: int, context: str) -> None:
        super().__init__(context)
        self.offset, self.context = offset, context


class _Scanner:
    """A position, the closing brackets still owed, and one method per thing expected next.

    Each method consumes one token and returns the method for what may come after it.
    """

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._offset = self._run(_SPACE, 0)
        self._owed: list[bytes] = []
        self._complete = False

    def is_done(self) -> bool:
        return self._complete and self._offset == len(self.text)

    def value(self) -> _Step:
        byte = self._byte()
        if byte in _BRACKETS:
            return self._open(byte)
        if byte == b'"':
            self._string()
        elif byte in _LITERALS:
            self._literal(_LITERALS[byte])
        elif byte.isdigit() or byte == b"-":
            self._number()
        else:
            self._fail(self._offset, _VALUE)
        return self._finished()

    def key(self) -> _Step:
        if self._byte() != b'"':
            self._fail(self._offset, _KEY)
        self._string()
        return self._colon

    def _first_key(self) -> _Step:
        return self._close() if self._byte() == b"}" else self.key()

    def _first_element(self) -> _Step:
        return self._close() if self._byte() == b"]" else self.value()

    def _colon(self) -> _Step:
        if self._byte() != b":":
            self._fail(self._offset, "after object key")
        self._move(self._offset + 1)
        return self.value

    def _after_value(self) -> _Step:
        in_object = self._owed[-1] == b"}"
        if self._byte() == self._owed[-1]:
            return self._close()
        if self._byte() != b",":
            what = "object key:value pair" if in_object else "array element"
            self._fail(self._offset, f"after {what}")
        self._move(self._offset + 1)
        return self.key if in_object else self.value

    def _after_document(self) -> _Step:
        self._fail(self._offset, "after top-level value")

    def _open(self, bracket: bytes) -> _Step:
        if len(self._owed) == MAX_DEPTH:
            self._fail(self._offset, "exceeded max depth")
        self._owed.append(_BRACKETS[bracket])
        self._move(self._offset + 1)
        return self._first_key if bracket == b"{" else self._first_element

    def _close(self) -> _Step:
        self._owed.pop()
        self._move(self._offset + 1)
        return self._finished()

    def _finished(self) -> _Step:
        if self._owed:
            return self._after_value
        self._complete = True
        return self._after_document

    def _string(self) -> None:
        end = self._run(_STRING, self._offset)
        if self.text[end : end + 1] == b'"':
            self._move(end + 1)
            return
        escape = self.text[end : end + 2]
        if escape == b"\\u":
            self._fail(self._run(_HEX, end + 2), "in \\u hexadecimal character escape")
        if escape[:1] == b"\\":
            self._fail(end + 1, "in string escape code")
        self._fail(end, "in string literal")

    def _literal(self, literal: bytes) -> None:
        for offset, expected in enumerate(literal, self._offset):
            if self.text[offset] != expected:
                self._fail(offset, f"in literal {literal.decode()} (expecting '{chr(expected)}')")
        self._move(self._offset + len(literal))

    def _number(self) -> None:
        offset = self._offset + self.text.startswith(b"-", self._offset)
        if self.text.startswith(b"0", offset):
            offset += 1
        else:
            offset = self._digits(offset, "in numeric literal")
        if self.text.startswith(b".", offset):
            offset = self._digits(offset + 1, "after decimal point in numeric literal")
        if self.text.startswith((b"e", b"E"), offset):
            offset += 1 + self.text.startswith((b"+", b"-"), offset + 1)
            offset = self._digits(offset, "in exponent of numeric literal")
        self._move(offset)

    def _digits(self, offset: int, context: str) -> int:
        end = self._run(_DIGITS, offset)
        if end == offset:
            self._fail(offset, context)
        return end

    def _byte(self) -> bytes:
        return self.text[self._offset : self._offset + 1]

    def _move(self, offset: int) -> None:
        self._offset = self._run(_SPACE, offset)

    def _run(self, pattern: re.Pattern[bytes], offset: int) -> int:
        match = pattern.match(self.text, offset)
        return match.end() if match else offset

    def _fail(self, offset: int, context: str) -> NoReturn:
        raise _Unexpected(offset, context)


_Step = Callable[[], "_Step"]


def _quoted(byte: int) -> str:
    """A byte as Go quotes it, taken for a Latin-1 character."""
    character = chr(byte)
    if byte in _ESCAPES:
        return _ESCAPES[byte]
    if character.isprintable():
        return character
    return f"\\x{byte:02x}" if byte < 0x80 else f"\\u{byte:04x}"
