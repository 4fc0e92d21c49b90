"""Work side by side, for the operation of the thread that starts it."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future, wait
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from chalicelib.work import operation

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")


def start(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
    """Start a function beside the current thread, working for the same operation.

    Work starts in the order of these calls. A function started here may wait for one that was
    started before it, never for a later one: so the threads cannot lock up.
    """
    current = operation.current()
    if current is None:
        raise RuntimeError("threads are an operation's: begin one first")
    return current.submit(_for_this_operation(partial(function, *args, **kwargs)))


def start_in(
    pool: Executor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> "Future[T]":
    """Start a function in a pool, working for the operation of this thread."""
    return pool.submit(_for_this_operation(partial(function, *args, **kwargs)))


def _for_this_operation(work: Callable[[], T]) -> Callable[[], T]:
    return partial(copy_context().run, work)


def waited(futures: Sequence["Future[T]"]) -> list[T]:
    """Return the results in order, when all have ended; raise the first error in that order."""
    wait(futures)
    return [future.result() for future in futures]


def side_by_side(function: Callable[[T], U], items: Iterable[T]) -> list[U]:
    """Return `function` of every item, in order, worked on side by side (see `waited`)."""
    return waited([start(function, item) for item in items])
