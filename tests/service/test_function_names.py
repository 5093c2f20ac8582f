from __future__ import annotations

import pytest

from rapid_mock.errors import InvalidParameterValue, ResourceNotFound
from rapid_mock.service.names import function_arn, parse_function_name


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
    assert parse_function_name(text, None, region="us-east-1") == ("hello", None)
    assert parse_function_name(f"{text}:live", None, region="us-east-1") == ("hello", "live")
    assert parse_function_name(f"{text}:$LATEST", None, region="us-east-1") == ("hello", "$LATEST")
    assert parse_function_name(text, "7", region="us-east-1") == ("hello", "7")


def test_contradicting_qualifiers_are_refused() -> None:
    """A qualifier in the name and another in the parameter are a 400 with AWS's text."""
    with pytest.raises(InvalidParameterValue) as refusal:
        parse_function_name("hello:live", "7", region="us-east-1")
    assert str(refusal.value) == (
        "The derived qualifier from the function name does not match the specified qualifier."
    )


def test_another_region_is_not_reachable() -> None:
    """An ARN of another region is a 404 that names both regions."""
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:hello"
    with pytest.raises(ResourceNotFound) as refusal:
        parse_function_name(arn, None, region="us-east-1")
    assert str(refusal.value) == (
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
    )


def test_nonsense_is_refused() -> None:
    """What fits no form is a 400 that quotes the value."""
    with pytest.raises(InvalidParameterValue, match="Value 'he llo' at 'functionName'"):
        parse_function_name("he llo", None, region="us-east-1")


def test_arn_keeps_the_qualifier_it_was_invoked_with() -> None:
    """The invoked function's ARN ends in the qualifier that was given, if any."""
    plain = function_arn("f", None, region="us-east-1", account="123456789012")
    assert plain == "arn:aws:lambda:us-east-1:123456789012:function:f"
    named = function_arn("f", "live", region="us-east-1", account="123456789012")
    assert named == "arn:aws:lambda:us-east-1:123456789012:function:f:live"
