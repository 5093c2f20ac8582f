from __future__ import annotations

from rapid_mock.service.shard_tree import OpenShard, Shard, ShardTree

PARENT = Shard("s0", is_closed=True)
LEFT, RIGHT = Shard("s1", ("s0",)), Shard("s2", ("s0",))
MERGED = Shard("s3", ("s1", "s2"))


def test_open_shards_begin_at_the_starting_position() -> None:
    """Shards without parents are polled from where the mapping says."""
    for position in ("LATEST", "TRIM_HORIZON", "AT_TIMESTAMP"):
        tree = ShardTree(position)
        assert tree.described([Shard("a"), Shard("b")]) == [
            OpenShard("a", position),
            OpenShard("b", position),
        ]
        assert tree.described([Shard("a"), Shard("b")]) == []


def test_parents_come_before_their_children() -> None:
    """Children of a split follow when their parent is done with; a merge waits for both parents."""
    tree = ShardTree("TRIM_HORIZON")
    assert tree.described([PARENT, LEFT, RIGHT, MERGED]) == [OpenShard("s0", "TRIM_HORIZON")]
    assert tree.shard_ended("s0") == [
        OpenShard("s1", "TRIM_HORIZON"),
        OpenShard("s2", "TRIM_HORIZON"),
    ]
    assert tree.shard_ended("s2") == []
    assert tree.shard_ended("s1") == [OpenShard("s3", "TRIM_HORIZON")]


def test_shards_that_appear_later_are_read_whole() -> None:
    """After LATEST, a split while polling loses nothing: its children begin at their beginning."""
    tree = ShardTree("LATEST")
    tree.described([Shard("s0")])
    assert tree.described([PARENT, LEFT, RIGHT]) == []
    assert tree.shard_ended("s0") == [
        OpenShard("s1", "TRIM_HORIZON"),
        OpenShard("s2", "TRIM_HORIZON"),
    ]


def test_latest_leaves_closed_shards_out() -> None:
    """With LATEST, shards that were closed before the mapping began are never polled."""
    tree = ShardTree("LATEST")
    assert tree.described([PARENT, LEFT, RIGHT]) == [
        OpenShard("s1", "LATEST"),
        OpenShard("s2", "LATEST"),
    ]


def test_parent_that_expired_does_not_block() -> None:
    """A shard whose parent the stream no longer lists is polled at once."""
    assert ShardTree("TRIM_HORIZON").described([LEFT]) == [OpenShard("s1", "TRIM_HORIZON")]


def test_stream_without_shards_yet() -> None:
    """An empty listing does not count as the first: the starting position still holds."""
    tree = ShardTree("LATEST")
    assert tree.described([]) == []
    assert tree.described([Shard("a")]) == [OpenShard("a", "LATEST")]


def test_positions_of_shards_that_wait() -> None:
    """Shards that wait for their parents have a position too, which a restart must not lose."""
    tree = ShardTree("AT_TIMESTAMP")
    tree.described([PARENT, LEFT])
    assert tree.positions == {"s0": "AT_TIMESTAMP", "s1": "AT_TIMESTAMP"}
    resumed = ShardTree("AT_TIMESTAMP", opened=tree.positions)
    resumed.described([PARENT, LEFT, RIGHT])
    assert resumed.shard_ended("s0") == [
        OpenShard("s1", "AT_TIMESTAMP"),
        OpenShard("s2", "TRIM_HORIZON"),
    ]


def test_restart_resumes() -> None:
    """After a restart, shards go on at their positions, ended ones do not come again."""
    tree = ShardTree("LATEST", opened={"s1": "LATEST"}, ended=["s0"])
    assert tree.described([PARENT, LEFT, RIGHT]) == [
        OpenShard("s1", "LATEST"),
        OpenShard("s2", "TRIM_HORIZON"),
    ]
