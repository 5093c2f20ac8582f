from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_mock.service.event_source import Batching
from rapid_mock.service.stream_orders import Read, StreamSettings
from tests.support.shard_world import FAILED, ShardWorld


def world(
    *,
    size: int = 10,
    window: float = 0.0,
    lanes: int = 1,
    retries: int = -1,
    age: float = -1,
    bisects: bool = False,
    reports: bool = False,
) -> ShardWorld:
    batching = Batching(size, window, reports)
    return ShardWorld(
        StreamSettings(
            batching, lanes=lanes, maximum_retries=retries, maximum_age=age, bisects=bisects
        )
    )


def filled(shard: ShardWorld, count: int, keys: str = "k") -> ShardWorld:
    for number in range(count):
        shard.put(keys[number % len(keys)])
    shard.read()
    return shard


def test_success_moves_the_checkpoint() -> None:
    """What was read is one batch; when the function succeeds, the checkpoint passes it."""
    shard = filled(world(), 3)
    assert shard.batches == [["000000", "000001", "000002"]]
    assert shard.checkpoint is None
    shard.answer()
    assert shard.checkpoint == "000002"


def test_shard_is_read_at_intervals() -> None:
    """After a read that brought less than asked for, the next one comes a second later."""
    shard = world()
    assert shard.reading == Read(None, 10)
    shard.put()
    shard.read()
    assert not shard.is_reading()
    assert shard.poller.deadline == 1.0
    shard.wait(1.0)
    assert shard.reading == Read("000000", 10)


def test_backlog_is_read_at_once() -> None:
    """A read that brought all it asked for is followed by the next without waiting."""
    shard = filled(world(size=4), 10)
    assert shard.reading == Read("000003", 4)


def test_no_more_is_read_at_once_than_the_source_gives() -> None:
    """A batch that is larger than one read is gathered by several, without waiting."""
    shard = ShardWorld(StreamSettings(Batching(10, 5.0), most_read=4))
    for _ in range(9):
        shard.put()
    assert shard.reading == Read(None, 4)
    shard.read()
    assert shard.reading == Read("000003", 4)
    shard.read()
    assert shard.reading == Read("000007", 2)


def test_failed_batch_blocks_the_shard() -> None:
    """A batch that fails is tried again after 1 s, 2 s, 4 s; nothing later is handed over."""
    shard = filled(world(size=2), 6)
    shard.read()
    for pause in (1.0, 2.0, 4.0):
        count = len(shard.batches)
        shard.fail()
        shard.wait(pause - 0.1)
        assert len(shard.batches) == count
        shard.wait(0.1)
        assert len(shard.batches) == count + 1
    assert shard.batches == [["000000", "000001"]] * 4
    shard.answer()
    assert shard.batches[-1] == ["000002", "000003"]


def test_no_more_is_read_than_the_next_batches_take() -> None:
    """While a batch blocks its lane, one more is read and no further."""
    shard = filled(world(size=2), 10)
    shard.read()
    shard.wait(60.0)
    assert not shard.is_reading()
    assert shard.poller.deadline is None


def test_retries_are_exhausted() -> None:
    """After the last retry the batch is given up, told with its count and answer, and passed."""
    shard = filled(world(size=2, retries=1), 3)
    shard.read()
    shard.fail()
    shard.wait(1.0)
    shard.fail()
    (discard,) = shard.discards
    assert [record.sequence_number for record in discard.records] == ["000000", "000001"]
    assert (discard.condition, discard.invoke_count) == ("RetryAttemptsExhausted", 2)
    assert discard.answer == FAILED
    assert shard.checkpoint == "000001"
    assert shard.batches[-1] == ["000002"]


def test_no_retries() -> None:
    """With no retry allowed, the first failure gives the batch up."""
    shard = filled(world(retries=0), 1)
    shard.fail()
    assert [discard.invoke_count for discard in shard.discards] == [1]


def test_refusals_do_not_count() -> None:
    """Throttles and errors of the service are retried without being attempts."""
    shard = filled(world(retries=0), 1)
    for pause in (1.0, 2.0, 4.0, 8.0):
        shard.refuse()
        shard.wait(pause)
    shard.answer()
    assert shard.discards == []
    assert shard.checkpoint == "000000"


def test_old_records_are_given_up() -> None:
    """Records beyond the maximum age are told without an answer and never handed over again."""
    shard = world(age=60.0, size=10)
    shard.put()
    shard.wait(50.0)
    shard.put()
    shard.read()
    for pause in (1.0, 2.0, 4.0, 8.0):
        shard.fail()
        shard.wait(pause)
    (discard,) = shard.discards
    assert [record.sequence_number for record in discard.records] == ["000000"]
    assert (discard.condition, discard.invoke_count, discard.answer) == (
        "RecordAgeExceeded",
        4,
        None,
    )
    assert shard.batches[-1] == ["000001"]


def test_old_records_are_not_handed_over_at_all() -> None:
    """What is too old when it is read is given up at once."""
    shard = world(age=60.0)
    shard.put()
    shard.wait(61.0)
    shard.read()
    assert shard.batches == []
    assert [discard.invoke_count for discard in shard.discards] == [0]
    assert shard.checkpoint == "000000"


def test_partial_response_moves_the_checkpoint() -> None:
    """The checkpoint goes to the lowest reported record, and the batch goes on from there."""
    shard = filled(world(size=6, reports=True), 6)
    shard.answer_up_to(0, 2)
    assert shard.checkpoint == "000001"
    assert shard.batches[-1] == ["000002", "000003", "000004", "000005"]


def test_partial_response_begins_a_new_count() -> None:
    """As recorded from AWS: three retries after the response that moved the checkpoint, count 4."""
    shard = filled(world(size=3, retries=3, reports=True), 3)
    shard.answer_up_to(0, 2)
    for pause in (1.0, 2.0, 4.0):
        shard.answer_up_to(0, 0)
        shard.wait(pause)
    shard.answer_up_to(0, 0)
    assert shard.batches == [["000000", "000001", "000002"], *[["000002"]] * 4]
    (discard,) = shard.discards
    assert (discard.condition, discard.invoke_count) == ("RetryAttemptsExhausted", 4)
    assert discard.answer is not None
    assert discard.answer.function_error is None


def test_bisection() -> None:
    """A failing batch is split in two, in order, until one record is left; only that is retried."""
    shard = filled(world(size=4, retries=0, bisects=True), 4)
    shard.fail()
    assert shard.batches[-1] == ["000000", "000001"]
    shard.answer()
    assert shard.batches[-1] == ["000002", "000003"]
    shard.fail()
    assert shard.batches[-1] == ["000002"]
    shard.fail()
    assert [record.sequence_number for record in shard.discards[0].records] == ["000002"]
    assert shard.batches[-1] == ["000003"]
    shard.answer()
    assert shard.checkpoint == "000003"


def test_batch_waits_its_window() -> None:
    """With a window, records gather over several reads until the oldest waited that long."""
    shard = world(window=5.0)
    shard.put()
    shard.read()
    shard.wait(1.0)
    shard.put()
    shard.read()
    assert shard.batches == []
    shard.wait(4.0)
    assert shard.batches == [["000000", "000001"]]


def test_full_batch_does_not_wait() -> None:
    """A batch that is full, by count or by bytes, goes at once, whatever its window."""
    assert filled(world(size=2, window=60.0), 2).batches == [["000000", "000001"]]
    shard = world(window=60.0)
    for _ in range(3):
        shard.put(size=3_000_000)
    shard.read()
    assert shard.batches == [["000000", "000001"]]


def test_filtered_records_are_passed() -> None:
    """Records that the filters drop move the checkpoint without an invocation."""
    shard = world()
    shard.put(wanted=False)
    shard.put(wanted=False)
    shard.read()
    assert shard.batches == []
    assert shard.checkpoint == "000001"


def test_filtered_record_waits_for_earlier_ones() -> None:
    """A dropped record is passed only when those before it are done with."""
    shard = world()
    shard.put()
    shard.put(wanted=False)
    shard.read()
    assert shard.checkpoint is None
    shard.answer()
    assert shard.checkpoint == "000001"


def test_lanes_keep_each_key_in_order() -> None:
    """With a ParallelizationFactor, keys run beside each other; the checkpoint waits for all."""
    shard = filled(world(lanes=4, size=10), 12, keys="abcdef")
    assert len(shard.running) > 1
    last = len(shard.running) - 1
    shard.answer(last)
    before = shard.checkpoint
    assert before is None or before < "000011"
    while shard.running:
        shard.answer()
    assert shard.checkpoint == "000011"


def test_failing_lane_does_not_block_the_others() -> None:
    """A batch that fails holds its own lane only."""
    shard = filled(world(lanes=4, size=2), 8, keys="abcdef")
    failing, *others = shard.running.values()
    shard.fail(0)
    while shard.running:
        shard.answer()
    keys = {record.key for records in others for record in records}
    assert keys
    assert {one.sequence_number for one in shard.stored if one.key in keys} <= shard.done
    assert not {record.sequence_number for record in failing} & shard.done


def test_closed_shard_ends() -> None:
    """A shard that is closed ends when its last record is done with, and is read no more."""
    shard = world(size=2)
    for _ in range(2):
        shard.put()
    shard.is_closed = True
    shard.read()
    assert shard.ending == []
    assert shard.poller.deadline is None
    shard.answer()
    assert shard.ending == ["ShardEnded"]


def test_closed_shard_without_records_ends_at_once() -> None:
    """A closed shard with nothing in it is done with the first read."""
    shard = world()
    shard.is_closed = True
    shard.read()
    assert shard.ending == ["ShardEnded"]


def test_failing_reads_wait() -> None:
    """A shard that cannot be read is read again after one second, then after two."""
    shard = world()
    shard.fail_read()
    assert shard.poller.deadline == 1.0
    shard.wait(1.0)
    shard.fail_read()
    assert shard.poller.deadline == 3.0


def test_stop_finishes_what_is_at_the_function() -> None:
    """After a stop the running batch ends and moves the checkpoint; what is read is forgotten."""
    shard = filled(world(size=2), 5)
    shard.stop()
    assert shard.ending == []
    shard.read()
    assert shard.ending == []
    shard.answer()
    assert shard.ending == ["Stopped"]
    assert shard.checkpoint == "000001"


def test_stop_does_not_wait_for_retries() -> None:
    """A batch that is held for a retry, or fails after the stop, is left to the next poller."""
    shard = filled(world(size=2), 1)
    shard.fail()
    shard.stop()
    assert shard.ending == ["Stopped"]
    shard = filled(world(size=2), 1)
    shard.stop()
    shard.refuse()
    assert shard.ending == ["Stopped"]


SCRIPT = st.lists(
    st.tuples(
        st.sampled_from(
            ["put", "put", "read", "lose", "answer", "partial", "fail", "refuse", "wait", "kill"]
        ),
        st.integers(0, 20),
    ),
    max_size=80,
)
SHAPES = st.fixed_dictionaries(
    {
        "size": st.integers(1, 12),
        "window": st.sampled_from([0.0, 2.0]),
        "lanes": st.integers(1, 4),
        "retries": st.sampled_from([-1, 0, 2]),
        "age": st.sampled_from([-1, 8.0]),
        "bisects": st.booleans(),
    }
)


def play(shard: ShardWorld, script: list[tuple[str, int]]) -> None:
    for action, number in script:
        if action == "put":
            size = (100, 3_000_000)[number % 2]
            shard.put("abcde"[number % 5], wanted=number % 6 > 0, size=size)
        elif action == "wait":
            shard.wait(number / 4)
        elif action == "kill":
            shard.restart()
        elif action == "read" and shard.reading:
            shard.read()
        elif action == "lose" and shard.reading:
            shard.fail_read()
        elif shard.running:
            if action == "partial":
                shard.answer_up_to(number, number // 2)
            elif action in {"answer", "fail", "refuse"}:
                getattr(shard, action)(number)


@settings(max_examples=400, deadline=None)
@given(SHAPES, SCRIPT)
def test_every_record_is_done_with_in_order(
    shape: dict[str, float], script: list[tuple[str, int]]
) -> None:
    """Whatever fails, restarts included: each key in order, nothing passed, the shard's end."""
    shard = world(**shape, reports=True)  # type: ignore[arg-type]  # the strategy's values fit
    play(shard, script)
    shard.is_closed = True
    for _ in range(300):
        if shard.ending:
            break
        while shard.running:
            shard.answer()
        if shard.reading:
            shard.read()
        else:
            shard.wait(0.5)
    assert shard.ending == ["ShardEnded"]
    if not shard.stored:
        assert shard.checkpoint is None
    else:
        assert shard.checkpoint == shard.stored[-1].sequence_number
    if (shape["retries"], shape["age"]) == (-1, -1):
        assert shard.discards == []


@settings(max_examples=200, deadline=None)
@given(SHAPES, SCRIPT)
def test_stop_always_ends(shape: dict[str, float], script: list[tuple[str, int]]) -> None:
    """After a stop the poller ends as soon as what is under way has ended, without a timeout."""
    shard = world(**shape, reports=True)  # type: ignore[arg-type]  # as above
    play(shard, script)
    shard.stop()
    assert shard.poller.deadline is None
    while shard.running:
        shard.fail()
    if shard.reading:
        shard.read()
    assert shard.ending == ["Stopped"]


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 40),
    st.sets(st.integers(0, 39), max_size=6),
    st.integers(1, 16),
    st.integers(1, 3),
    st.integers(0, 2),
)
def test_poison_is_isolated(
    count: int, poison: set[int], size: int, lanes: int, retries: int
) -> None:
    """With bisection, a function that fails on certain records loses exactly those, one by one."""
    shard = world(size=size, lanes=lanes, retries=retries, bisects=True)
    poisonous = {f"{number:06}" for number in poison if number < count}
    for number in range(count):
        shard.put("abcde"[number % 5])
    shard.is_closed = True
    for _ in range(2000):
        if shard.ending:
            break
        if shard.running:
            (records, *_) = shard.running.values()
            is_bad = poisonous & {record.sequence_number for record in records}
            shard.fail(0) if is_bad else shard.answer(0)
        elif shard.reading:
            shard.read()
        else:
            shard.wait(0.5)
    assert shard.ending == ["ShardEnded"]
    lost = [record.sequence_number for discard in shard.discards for record in discard.records]
    assert sorted(lost) == sorted(poisonous)
    assert {len(discard.records) for discard in shard.discards} <= {1}
    assert {discard.invoke_count for discard in shard.discards} <= {retries + 1}
