from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_mock.service.event_source import Answered, Batching, Refused
from rapid_mock.service.queue_orders import Delete, GiveBack, QueueSettings, Receive, Stopped
from tests.support.queue_world import QueueWorld


def world(
    *,
    size: int = 10,
    window: float = 0.0,
    visibility: float = 30.0,
    timeout: float = 3.0,
    concurrency: int = 1000,
    reports: bool = False,
) -> QueueWorld:
    batching = Batching(size, window, reports)
    return QueueWorld(QueueSettings(batching, visibility, timeout, concurrency))


def partial(failed: str) -> Answered:
    return Answered(json.dumps({"batchItemFailures": [{"itemIdentifier": failed}]}).encode())


def test_five_pollers_begin() -> None:
    """A mapping begins with five long polls for as many messages as a batch takes."""
    assert list(world().receives.values()) == [Receive(number, 10) for number in range(1, 6)]
    assert [order.most for order in world(size=4).receives.values()] == [4] * 5


def test_success_deletes_the_batch() -> None:
    """What one receive brought is one batch; when the function succeeds, all of it is deleted."""
    queue = world()
    names = [queue.send() for _ in range(3)]
    queue.receive()
    assert queue.batches == [names]
    assert not any(one.is_deleted for one in queue.stored.values())
    queue.answer()
    assert all(one.is_deleted for one in queue.stored.values())


def test_failure_deletes_nothing() -> None:
    """After a function error the messages come back when their visibility ends, and not before."""
    queue = world()
    name = queue.send()
    queue.receive()
    queue.fail()
    assert queue.stored[name].visible_at == 30.0
    queue.wait(30.0)
    queue.receive()
    assert queue.batches == [[name], [name]]


def test_partial_response_deletes_the_others() -> None:
    """With item failures reported, only those messages stay in the queue."""
    queue = world(reports=True)
    for _ in range(4):
        queue.send()
    queue.receive()
    queue.answer_partially()
    assert [one.is_deleted for one in queue.stored.values()] == [True, False, True, False]


def test_response_is_not_read_without_the_setting() -> None:
    """A function that was not set to report failures succeeds with whatever it answers."""
    queue = world()
    for _ in range(2):
        queue.send()
    queue.receive()
    (number,) = queue.running
    orders = queue.poller.invoked(number, partial("m0"), 0.0)
    assert [len(order.messages) for order in orders if isinstance(order, Delete)] == [2]


def test_filtered_messages_are_deleted_at_once() -> None:
    """A message that the filters drop is deleted and never handed over."""
    queue = world()
    dropped, kept = queue.send(wanted=False), queue.send()
    queue.receive()
    assert queue.batches == [[kept]]
    assert queue.stored[dropped].is_deleted


def test_batch_waits_its_window() -> None:
    """With a window, messages gather over several receives until the oldest waited that long."""
    queue = world(size=100, window=5.0)
    queue.send()
    queue.receive()
    queue.wait(3.0)
    queue.send()
    queue.receive()
    assert queue.batches == []
    assert queue.poller.deadline == 5.0
    queue.wait(2.0)
    assert queue.batches == [["m0", "m1"]]


def test_full_batch_does_not_wait() -> None:
    """A batch that is full goes at once, whatever its window."""
    queue = world(size=12, window=60.0)
    for _ in range(15):
        queue.send()
    queue.receive()
    queue.receive()
    assert [len(batch) for batch in queue.batches] == [12]


def test_batch_stays_below_six_megabytes() -> None:
    """Messages that would make the event too large go into the next batch."""
    queue = world()
    for _ in range(8):
        queue.send(size=1_000_000)
    queue.receive()
    assert [len(batch) for batch in queue.batches] == [6, 2]


def test_window_longer_than_the_visibility() -> None:
    """When window and timeout outlast the queue's visibility, messages are hidden for longer."""
    queue = world(size=100, window=20.0, visibility=30.0, timeout=15.0)
    assert {order.visibility_timeout for order in queue.receives.values()} == {65.0}
    queue = world(size=100, window=10.0, visibility=30.0, timeout=15.0)
    assert {order.visibility_timeout for order in queue.receives.values()} == {None}


def test_refused_batch_is_held_and_tried_again() -> None:
    """A throttled batch is tried again after one second, then two; until then none is received."""
    queue = world()
    queue.send()
    queue.receive()
    queue.refuse()
    while queue.receives:
        queue.receive()
    assert not queue.receives
    queue.wait(0.9)
    assert len(queue.batches) == 1
    queue.wait(0.1)
    assert len(queue.batches) == 2
    queue.refuse()
    queue.wait(1.9)
    assert len(queue.batches) == 2
    queue.wait(0.1)
    queue.answer()
    assert queue.stored["m0"].is_deleted
    assert queue.receives
    assert queue.stored["m0"].receives == 1


def test_refused_batch_is_given_up_before_it_is_visible() -> None:
    """When too little visibility is left for another try, the batch is left to come back itself."""
    queue = world(visibility=5.0, timeout=3.0)
    queue.send()
    queue.receive()
    queue.wait(1.5)
    queue.refuse()
    assert queue.poller.deadline == 2.5, "the pause of the receives"
    queue.wait(3.5)
    assert len(queue.batches) == 1
    queue.receive()
    assert len(queue.batches) == 2


def test_answer_retries_a_held_batch() -> None:
    """As soon as another invocation ends, a held batch is tried: there is room again."""
    queue = world()
    queue.send()
    queue.receive()
    queue.send()
    queue.receive()
    queue.refuse(1)
    assert queue.poller.deadline == 1.0
    queue.answer(0)
    assert queue.batches == [["m0"], ["m1"], ["m1"]]


def test_maximum_concurrency() -> None:
    """No more batches are at the function than MaximumConcurrency, nor receives beside them."""
    queue = world(concurrency=2)
    for _ in range(40):
        queue.send()
    queue.receive()
    queue.receive()
    assert len(queue.running) == 2
    assert not queue.receives
    queue.answer()
    assert len(queue.receives) == 1


def test_pollers_grow_with_the_backlog() -> None:
    """While every receive is full, a poller is added every fifth of a second."""
    queue = world()
    for _ in range(200):
        queue.send()
    for _ in range(5):
        queue.receive()
    assert (len(queue.running), len(queue.receives)) == (5, 1)
    queue.wait(0.2)
    queue.receive()
    assert (len(queue.running), len(queue.receives)) == (6, 1)


def test_pollers_shrink_on_an_empty_queue() -> None:
    """Empty receives take pollers away, down to two."""
    queue = world()
    for _ in range(10):
        queue.receive()
    assert len(queue.receives) == 2


def test_failing_receives_wait() -> None:
    """A queue that cannot be asked is asked again after one second, then after two."""
    queue = world(concurrency=1)
    queue.fail_receive()
    assert not queue.receives
    queue.wait(1.0)
    queue.fail_receive()
    queue.wait(1.9)
    assert not queue.receives
    queue.wait(0.1)
    assert queue.receives
    queue.receive()
    queue.fail_receive()
    assert queue.poller.deadline == 4.0


def test_fifo_group_is_at_the_function_once() -> None:
    """Of one group, later messages wait until the earlier ones are done; other groups do not."""
    queue = world(size=2)
    for group in "aaab":
        queue.send(group=group)
    queue.receive()
    queue.receive()
    assert queue.batches == [["m0", "m1"], ["m3"]]
    queue.answer()
    queue.receive()
    assert queue.batches == [["m0", "m1"], ["m3"], ["m2"]]


def test_fifo_messages_behind_a_failure_are_given_back() -> None:
    """What waits behind a failed message of its group goes back, so that it does not overtake."""
    queue = world(size=10)
    for group in "aab":
        queue.send(group=group, size=4_000_000)
    queue.receive()
    assert queue.batches == [["m0"], ["m2"]]
    queue.fail(0)
    assert queue.stored["m1"].visible_at == 0.0
    queue.wait(30.0)
    queue.receive()
    assert queue.batches == [["m0"], ["m2"], ["m0"]]


def test_message_that_waited_too_long_is_left_alone() -> None:
    """A message for which there was no room until it was visible again is not handed over."""
    queue = world(concurrency=1, visibility=5.0)
    for _ in range(2):
        queue.send(size=4_000_000)
    queue.receive()
    queue.wait(5.0)
    queue.answer()
    assert queue.batches == [["m0"]]
    queue.receive()
    assert queue.batches == [["m0"], ["m1"]]


def test_stop_finishes_what_is_at_the_function() -> None:
    """After a stop, running batches end and are deleted; what waits or is held is given back."""
    queue = world(size=2, concurrency=2)
    for _ in range(4):
        queue.send()
    queue.receive()
    queue.receive()
    queue.refuse(1)
    queue.stop()
    assert [one.visible_at for one in queue.stored.values()] == [30.0, 30.0, 0.0, 0.0]
    assert not queue.has_stopped()
    queue.answer()
    assert queue.has_stopped()
    assert [one.is_deleted for one in queue.stored.values()] == [True, True, False, False]


def test_receive_that_ends_after_the_stop() -> None:
    """Messages that still come in after a stop are given back at once."""
    queue = world(concurrency=1)
    queue.stop()
    assert not queue.has_stopped()
    name = queue.send()
    queue.receive()
    assert queue.has_stopped()
    assert queue.stored[name].visible_at == 0.0


def test_idle_poller_stops_at_once() -> None:
    """With nothing under way, a stop is the end."""
    queue = world(concurrency=1)
    queue.fail_receive()
    queue.stop()
    assert queue.has_stopped()


def test_refusal_after_the_stop_gives_back() -> None:
    """A batch that is refused after a stop is not held."""
    queue = world(concurrency=1)
    queue.send()
    queue.receive()
    queue.stop()
    (number,) = queue.running
    orders = queue.poller.invoked(number, Refused(), 0.0)
    assert [type(order) for order in orders] == [GiveBack, Stopped]


SCRIPT = st.lists(
    st.tuples(
        st.sampled_from(["send", "receive", "lose", "answer", "partial", "fail", "refuse", "wait"]),
        st.integers(0, 20),
    ),
    max_size=80,
)
SHAPES = st.fixed_dictionaries(
    {
        "size": st.integers(1, 30),
        "window": st.sampled_from([0.0, 2.0]),
        "visibility": st.sampled_from([3.0, 8.0, 30.0]),
        "concurrency": st.integers(1, 6),
    }
)


def play(queue: QueueWorld, script: list[tuple[str, int]], *, fifo: bool) -> None:
    for action, number in script:
        if action == "send":
            group = "abc"[number % 3] if fifo else None
            queue.send(group=group, size=(100, 3_000_000)[number % 2], wanted=number % 5 > 0)
        elif action == "wait":
            queue.wait(number / 4)
        elif action == "receive" and queue.receives:
            queue.receive(number)
        elif action == "lose" and queue.receives:
            queue.fail_receive(number)
        elif queue.running:
            outcomes = {
                "answer": queue.answer,
                "partial": queue.fail if fifo else queue.answer_partially,
                "fail": queue.fail,
                "refuse": queue.refuse,
            }
            if action in outcomes:
                outcomes[action](number)


def drain(queue: QueueWorld) -> None:
    """Let everything succeed until the queue is empty."""
    for _ in range(600):
        if all(one.is_deleted for one in queue.stored.values()):
            return
        while queue.running:
            queue.answer()
        for _ in range(len(queue.receives)):
            queue.receive()
        queue.wait(0.5)
    raise AssertionError(f"never processed: {[*queue.stored.values()]}")


@settings(max_examples=300, deadline=None)
@given(SHAPES, SCRIPT)
def test_nothing_is_lost(shape: dict[str, float], script: list[tuple[str, int]]) -> None:
    """Whatever fails on the way, every message is processed in the end, and only then deleted."""
    queue = world(**shape, reports=True)  # type: ignore[arg-type]  # the strategy's values fit
    play(queue, script, fifo=False)
    drain(queue)


@settings(max_examples=300, deadline=None)
@given(SHAPES, SCRIPT)
def test_groups_are_processed_in_order(
    shape: dict[str, float], script: list[tuple[str, int]]
) -> None:
    """Messages of a FIFO group succeed in the order they were sent, each group by itself."""
    queue = world(**{**shape, "window": 0.0, "size": min(shape["size"], 10)})  # type: ignore[arg-type]  # as above
    play(queue, script, fifo=True)
    drain(queue)
    for group in "abc":
        of_group = [name for name in queue.processed if queue.stored[name].message.group == group]
        first = list(dict.fromkeys(of_group))
        assert first == sorted(first, key=lambda name: int(name[1:]))


@settings(max_examples=300, deadline=None)
@given(SHAPES, SCRIPT)
def test_stop_always_ends(shape: dict[str, float], script: list[tuple[str, int]]) -> None:
    """After a stop the poller ends as soon as what is under way has ended, without a timeout."""
    queue = world(**shape, reports=True)  # type: ignore[arg-type]  # as above
    play(queue, script, fifo=False)
    queue.stop()
    assert queue.poller.deadline is None
    while queue.running:
        queue.answer()
    while queue.receives:
        queue.receive()
    assert queue.has_stopped()
    there = [one for one in queue.stored.values() if not one.is_deleted]
    assert all(one.visible_at <= queue.now + 65.0 for one in there)
