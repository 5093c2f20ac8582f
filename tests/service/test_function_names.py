from __future__ import annotations

import pytest

from rapid_mock.errors import (
    AccessDenied,
    InvalidParameterValue,
    ResourceNotFound,
    ValidationFailed,
)
from rapid_mock.service.names import Place, function_arn, parse_function_name

PLACE = Place("us-east-1", "123456789012")


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
    with pytest.raises(InvalidParameterValue, match="Value 'he llo' at 'functionName'"):
        parse_function_name("he llo", None, place=PLACE)


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
