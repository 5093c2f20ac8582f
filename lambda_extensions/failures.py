"""Failures in AWS's words: `Extension.Name`, the error's JSON, and one sentence on stderr."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

PREFIX = "Extension."


def extension_error_type(words: str) -> str:
    r"""Spell any words as AWS keeps them: `Extension\.[A-Z][a-zA-Z]+`.

    `config missing` becomes `Extension.ConfigMissing`. Source of the pattern: RIE (managed
    instances), which replaces every other spelling by its own.
    """
    letters = "".join(
        letter if letter.isascii() and letter.isalpha() else " "
        for letter in words.removeprefix(PREFIX)
    )
    name = "".join(word[:1].upper() + word[1:] for word in letters.split())
    return PREFIX + (name if len(name) > 1 else f"{name}Error")


def type_name(error: BaseException | str) -> str | None:
    return None if isinstance(error, str) else type(error).__name__


def error_body(error: BaseException | str, error_type: str) -> bytes:
    """`{"errorMessage", "errorType", "stackTrace"}`; no stack trace for a bare message."""
    import json

    body = {
        "errorMessage": str(error),
        "errorType": error_type,
        "stackTrace": [] if isinstance(error, str) else _stack_trace(error),
    }
    return json.dumps(body).encode()


def complain(sentence: str, error: BaseException | None = None) -> None:
    """Write the sentence to stderr, then the traceback of a foreign `error`."""
    text = f"lambda_extensions: {sentence}\n"
    if error is not None:
        import traceback

        frames = _from_the_author_on(error.__traceback__)
        text += "".join(traceback.format_exception(type(error), error, frames))
    sys.stderr.write(text)
    sys.stderr.flush()


def _stack_trace(error: BaseException) -> list[str]:
    import traceback

    frames = _from_the_author_on(error.__traceback__)
    return [line.rstrip("\n") for line in traceback.format_tb(frames)]


def _from_the_author_on(frames: TracebackType | None) -> TracebackType | None:
    """Without the frames of this package that lead to a handler; all where there are no others."""
    own = __file__.rpartition("/")[0]
    found = frames
    while found is not None and found.tb_frame.f_code.co_filename.startswith(own):
        found = found.tb_next
    return found or frames
