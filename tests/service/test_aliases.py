"""Weighted aliases, by the dice that come in."""

from __future__ import annotations

import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_mock.service.aliases import Alias, alias_to_create, alias_to_update

ROLLS = 4000


@settings(max_examples=50, deadline=None)
@given(st.floats(0.0, 1.0), st.integers(0, 2**32))
def test_each_version_has_its_share(weight: float, seed: int) -> None:
    """Of 4,000 invocations the second version gets its weight, within five standard deviations."""
    alias = Alias("live", "1", "", {"2": weight}, "r")
    dice = random.Random(seed)
    second = sum(alias.pick(dice.random()) == "2" for _ in range(ROLLS))
    spread = 5 * math.sqrt(ROLLS * weight * (1 - weight))
    assert abs(second - ROLLS * weight) <= spread + 1


def test_no_weight_and_the_whole_weight() -> None:
    """A weight of 0 gets nothing and a weight of 1 everything, whatever the dice."""
    rolls = (0.0, 0.5, 0.999999)
    assert {Alias("a", "1", "", {"2": 0.0}, "r").pick(dice) for dice in rolls} == {"1"}
    assert {Alias("a", "1", "", {"2": 1.0}, "r").pick(dice) for dice in rolls} == {"2"}


def test_an_update_keeps_what_is_not_given() -> None:
    """Version, description and weights stay; an empty routing takes the weights away."""
    routing = {"AdditionalVersionWeights": {"2": 0.1}}
    request = {"Name": "a", "FunctionVersion": "1", "Description": "d", "RoutingConfig": routing}
    alias = alias_to_create(request, "r1")
    same = alias_to_update({}, alias, "r2")
    assert same == Alias("a", "1", "d", {"2": 0.1}, "r2")
    cleared: list[dict[str, dict[str, float]]] = [{}, {"AdditionalVersionWeights": {}}]
    for empty in cleared:
        assert alias_to_update({"RoutingConfig": empty}, alias, "r2").weights == {}
    assert alias_to_update({"Description": ""}, alias, "r2").description == ""
