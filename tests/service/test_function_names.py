from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_mock.errors import (
    AccessDenied,
    InvalidParameterValue,
    ResourceNotFound,
    ServiceError,
    ValidationFailed,
)
from rapid_mock.service.names import Place, function_arn, parse_function_name

PLACE = Place("us-east-1", "123456789012")
PIECES = (
    r"(arn:aws:lambda:)?(us-east-1:|eu-west-1:|here:)?(123456789012:|1:)?(function:)?"
    r"[a-c.$ é-]{1,4}(:(\$LATEST|[0-9a-c$]{1,3}))?"
)


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "function:hello",
        "123456789012:function:hello",
        "us-east-1:123456789012:function:hello",
        "arn:aws:lambda:us-east-1:123456789012:function:hello",
    ],
)
def test_every_form_names_the_function(text: str) -> None:
    """A name, a partial ARN and a full ARN name the same function, with or without a qualifier."""
    assert parse_function_name(text, None, place=PLACE) == ("hello", None)
    assert parse_function_name(f"{text}:live", None, place=PLACE) == ("hello", "live")
    assert parse_function_name(f"{text}:$LATEST", None, place=PLACE) == ("hello", "$LATEST")
    assert parse_function_name(text, "7", place=PLACE) == ("hello", "7")


def test_contradicting_qualifiers_are_refused() -> None:
    """A qualifier in the name and another in the parameter are a 400 with AWS's text."""
    with pytest.raises(InvalidParameterValue) as refusal:
        parse_function_name("hello:live", "7", place=PLACE)
    assert str(refusal.value) == (
        "The derived qualifier from the function name does not match the specified qualifier."
    )


def test_another_region_is_not_reachable() -> None:
    """An ARN of another region is a 404 that names both regions."""
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:hello"
    with pytest.raises(ResourceNotFound) as refusal:
        parse_function_name(arn, None, place=PLACE)
    assert str(refusal.value) == (
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
    )


def test_nonsense_is_refused() -> None:
    """What fits no form is a 400 that quotes the value."""
    with pytest.raises(ValidationFailed, match="Value 'he llo' at 'functionName'"):
        parse_function_name("he llo", None, place=PLACE)


def test_a_name_and_a_qualifier_are_refused_together() -> None:
    """What is wrong with either is said in one refusal."""
    with pytest.raises(ValidationFailed) as refusal:
        parse_function_name("n" * 257, "q" * 129, place=PLACE)
    assert refusal.value.members() == {
        "message": "2 validation errors detected: "
        f"Value '{'q' * 129}' at 'qualifier' failed to satisfy constraint: Member must have length "
        "less than or equal to 128; "
        f"Value '{'n' * 257}' at 'functionName' failed to satisfy constraint: Member must have "
        "length less than or equal to 256"
    }


def test_what_changes_a_function_takes_no_dots() -> None:
    """Names with a dot can be asked for, and are none for an operation that changes a function."""
    assert parse_function_name("a.b", None, place=PLACE) == ("a.b", None)
    assert parse_function_name("a:$LATEST.PUBLISHED", None, place=PLACE).name == "a"
    for name in ("a.b", "a:$LATEST.PUBLISHED", "a" * 141, ""):
        with pytest.raises(ValidationFailed):
            parse_function_name(name, None, place=PLACE, is_strict=True)


@settings(max_examples=300, deadline=None)
@given(st.from_regex(PIECES, fullmatch=True) | st.text(max_size=20), st.booleans())
def test_every_text_is_a_name_or_is_refused(text: str, is_strict: bool) -> None:
    """Whatever is given: a name with its qualifier, or one of the API's own refusals."""
    try:
        name, qualifier = parse_function_name(text, None, place=PLACE, is_strict=is_strict)
    except ServiceError:
        return
    assert text.endswith(name if qualifier is None else f"{name}:{qualifier}")
    assert name.isascii()
    assert ":" not in name


def test_arn_keeps_the_qualifier_it_was_invoked_with() -> None:
    """The invoked function's ARN ends in the qualifier that was given, if any."""
    plain = function_arn("f", None, place=PLACE)
    assert plain == "arn:aws:lambda:us-east-1:123456789012:function:f"
    named = function_arn("f", "live", place=PLACE)
    assert named == "arn:aws:lambda:us-east-1:123456789012:function:f:live"


def test_another_account_is_forbidden() -> None:
    """An ARN of another account is a 403 whose body has a null message."""
    arn = "arn:aws:lambda:us-east-1:210987654321:function:hello"
    with pytest.raises(AccessDenied) as refusal:
        parse_function_name(arn, None, place=PLACE)
    assert (refusal.value.status, refusal.value.members()) == (403, {"Message": None})


def test_a_parameter_that_can_be_no_qualifier() -> None:
    """A Qualifier outside the model's pattern or length is a 400 that says all that is wrong."""
    with pytest.raises(ValidationFailed) as refusal:
        parse_function_name("hello", "a.b" * 50, place=PLACE)
    value = "a.b" * 50
    assert refusal.value.members() == {
        "message": f"2 validation errors detected: Value '{value}' at 'qualifier' failed to "
        "satisfy constraint: Member must have length less than or equal to 128; "
        f"Value '{value}' at 'qualifier' failed to satisfy constraint: Member must satisfy "
        r"regular expression pattern: \$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
    }
