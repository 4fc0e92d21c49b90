"""The kit's clock: threads wait side by side, and time passes only when all of them do."""

import _thread
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Condition

import pytest

from tests.kit.clock import Clock


@pytest.fixture
def pool(clock: Clock) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


def test_who_sleeps_at_the_same_time_sleeps_side_by_side(
    clock: Clock, pool: ThreadPoolExecutor
) -> None:
    began = clock.now()
    woke: list[float] = []

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        woke.append(clock.now() - began)

    # Of three things to do at two at a time, the third waits for the first.
    list(pool.map(sleep, (1, 3, 1)))

    assert woke == pytest.approx([1, 2, 3])
    assert clock.slept == 5


def test_a_wait_ends_with_what_it_is_for_or_with_its_time(
    clock: Clock, pool: ThreadPoolExecutor
) -> None:
    began = clock.now()
    sleeping = pool.submit(clock.sleep, 5)

    assert not wait([sleeping], timeout=2).done
    assert clock.now() - began == pytest.approx(2)
    sleeping.result(timeout=10)
    assert clock.now() - began == pytest.approx(5)

    condition = Condition()
    with condition:
        assert not condition.wait_for(lambda: False, timeout=3)
    assert clock.now() - began == pytest.approx(8)


def test_threads_that_wait_for_each_other_fail(clock: Clock, pool: ThreadPoolExecutor) -> None:
    never: Future[None] = Future()
    other = pool.submit(never.result)
    with pytest.raises(AssertionError, match="every thread waits for another one"):
        never.result()
    never.set_result(None)
    other.result()


def test_who_waits_alone_waits_for_a_thread_that_takes_no_turns(clock: Clock) -> None:
    done: Future[str] = Future()

    def do() -> None:
        time.sleep(0.01)
        done.set_result("done")

    # Behind the clock's back, as pytest's own threads are started.
    _thread.start_new_thread(do, ())
    assert done.result() == "done"
