"""The registry by itself: states, revisions, numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_mock.errors import PreconditionFailed, ResourceConflict, ResourceNotFound
from rapid_mock.service.aliases import Alias
from rapid_mock.service.functions import Registry
from rapid_mock.service.names import LATEST, Place
from rapid_mock.service.settings import complete_settings
from rapid_mock.service.versions import Code, Failure, Stamp, Version

PLACE = Place("us-east-1", "123456789012")
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
BUSY = (
    f"The operation cannot be performed at this time. An update is in progress for resource: {ARN}"
)


class Stamps:
    """Fresh revisions, r1 and on, each at a moment of its own."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self) -> Stamp:
        self._count += 1
        return Stamp(f"r{self._count}", f"m{self._count}")


def code(content: str) -> Code:
    return Code(content, 1, f"/code/{content}")


def registry_with(content: str = "one") -> tuple[Registry, Stamps]:
    registry, stamps = Registry(PLACE), Stamps()
    registry.create("f", complete_settings({}, "f"), code(content), stamps())
    registry.settle(registry.find("f").latest, stamps())
    return registry, stamps


def publish(registry: Registry, stamps: Stamps) -> tuple[Version, bool]:
    return registry.publish("f", stamps(), latest_revision_id=stamps().revision_id)


def test_a_new_function_is_pending_until_it_settles() -> None:
    """Pending has a reason and no update; then the state is Active, with another revision."""
    registry, stamps = Registry(PLACE), Stamps()
    registry.create("f", complete_settings({}, "f"), code("one"), stamps())
    created = registry.find("f").latest
    assert created.condition.members() == {
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
    }
    with pytest.raises(ResourceConflict) as refusal:
        registry.check_update("f")
    assert str(refusal.value) == (
        "The operation cannot be performed at this time. The function is currently in the following"
        " state: Pending"
    )
    assert registry.settle(created, stamps())
    settled = registry.find("f").latest
    assert settled.condition.members() == {"State": "Active", "LastUpdateStatus": "Successful"}
    assert settled.stamp == Stamp("r2", "m1")


def test_an_update_is_in_progress_until_it_settles() -> None:
    """Meanwhile the function stays Active, and a second update is a 409 with AWS's text."""
    registry, stamps = registry_with()
    updated = registry.update("f", stamps(), settings=None, code=code("two"))
    assert updated.condition.members() == {
        "State": "Active",
        "LastUpdateStatus": "InProgress",
        "LastUpdateStatusReason": "The function is being created.",
        "LastUpdateStatusReasonCode": "Creating",
    }
    with pytest.raises(ResourceConflict) as refusal:
        registry.update("f", stamps(), settings=None, code=code("three"))
    assert str(refusal.value) == BUSY
    registry.settle(updated, stamps(), Failure("no room", "InternalError"))
    assert registry.find("f").latest.condition.members() == {
        "State": "Active",
        "LastUpdateStatus": "Failed",
        "LastUpdateStatusReason": "no room",
        "LastUpdateStatusReasonCode": "InternalError",
    }


def test_a_function_that_was_made_anew_does_not_settle_for_the_old_one() -> None:
    """What was deployed for a deleted function says nothing about one of the same name."""
    registry, stamps = Registry(PLACE), Stamps()
    registry.create("f", complete_settings({}, "f"), code("one"), stamps())
    old = registry.find("f").latest
    registry.delete("f")
    assert not registry.settle(old, stamps())
    registry.create("f", complete_settings({}, "f"), code("one"), stamps())
    assert not registry.settle(old, stamps())
    assert registry.find("f").latest.condition.state == "Pending"


def test_publishing_is_idempotent() -> None:
    """Unchanged content gives the last version again; a change gives the next number."""
    registry, stamps = registry_with()
    first, is_new = publish(registry, stamps)
    assert (first.number, is_new) == ("1", True)
    assert publish(registry, stamps) == (first, False)
    changed = registry.update("f", stamps(), settings=None, code=code("two"))
    registry.settle(changed, stamps())
    second, is_new = publish(registry, stamps)
    assert (second.number, is_new) == ("2", True)
    assert registry.version("f", "1").code == code("one")


def test_a_version_of_a_ready_function_is_ready() -> None:
    """PublishVersion of what is active answers Active, and its revision stays."""
    registry, stamps = registry_with()
    version, _ = publish(registry, stamps)
    assert version.condition.members() == {"State": "Active", "LastUpdateStatus": "Successful"}


def test_another_description_is_a_change_of_the_function_not_of_the_version() -> None:
    """A new description of `$LATEST` gives the next number; one of the version alone does not."""
    registry, stamps = registry_with()
    first, _ = publish(registry, stamps)
    again, is_new = registry.publish(
        "f", stamps(), latest_revision_id=stamps().revision_id, description="other"
    )
    assert (again, is_new) == (first, False)
    described = complete_settings({"Description": "other"}, "f")
    registry.settle(registry.update("f", stamps(), settings=described, code=None), stamps())
    second, is_new = publish(registry, stamps)
    assert (second.number, second.settings["Description"], is_new) == ("2", "other", True)


def test_publishing_while_the_function_is_pending_settles_both() -> None:
    """CreateFunction with Publish: `$LATEST` and version 1 become active each by itself."""
    registry, stamps = Registry(PLACE), Stamps()
    registry.create("f", complete_settings({}, "f"), code("one"), stamps())
    publish(registry, stamps)
    for version in registry.find("f").in_order():
        assert registry.settle(version, stamps())
    assert {v.condition.state for v in registry.find("f").versions.values()} == {"Active"}


def test_a_revision_is_new_with_every_change_of_latest() -> None:
    """Publishing and updating give `$LATEST` a revision that an older one does not match."""
    registry, stamps = registry_with()
    seen = {registry.find("f").latest.stamp.revision_id}
    publish(registry, stamps)
    seen.add(registry.find("f").latest.stamp.revision_id)
    registry.update("f", stamps(), settings=None, code=code("two"))
    seen.add(registry.find("f").latest.stamp.revision_id)
    registry.settle(registry.find("f").latest, stamps())
    seen.add(registry.find("f").latest.stamp.revision_id)
    assert len(seen) == 4
    for revision in seen - {registry.find("f").latest.stamp.revision_id}:
        with pytest.raises(PreconditionFailed):
            registry.check_update("f", revision)


def test_a_version_behind_an_alias_stays() -> None:
    """A version that an alias points to, with its first or second, is not deleted."""
    registry, stamps = registry_with()
    publish(registry, stamps)
    registry.settle(registry.update("f", stamps(), settings=None, code=code("two")), stamps())
    publish(registry, stamps)
    registry.add_alias("f", Alias("live", "1", "", {"2": 0.1}, "r"))
    for number in ("1", "2"):
        with pytest.raises(ResourceConflict):
            registry.delete_version("f", number)
    del registry.find("f").aliases["live"]
    assert registry.delete_version("f", "1") is not None
    assert registry.delete_version("f", "1") is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from("updd1234"), max_size=30))
def test_numbers_are_never_used_twice(script: list[str]) -> None:
    """Whatever is updated, published and deleted: each number has one content, for ever."""
    registry, stamps = registry_with()
    contents: dict[str, str] = {}
    for count, action in enumerate(script):
        if action == "u":
            changed = registry.update("f", stamps(), settings=None, code=code(f"c{count}"))
            registry.settle(changed, stamps())
        elif action in "pd":
            version, is_new = publish(registry, stamps)
            assert is_new == (version.number not in contents)
            contents.setdefault(version.number, version.code.sha256)
        else:
            registry.delete_version("f", action)
    for version in registry.find("f").versions.values():
        if version.number != LATEST:
            assert contents[version.number] == version.code.sha256
    missing = set(contents) - set(registry.find("f").versions)
    for number in missing:
        with pytest.raises(ResourceNotFound):
            registry.version("f", number)
