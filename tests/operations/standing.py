"""An AWS in memory that is furnished once and put back after each test.

What no test wrote to answers as before, and is not asked again: a look at a whole deployment asks
some seventy things of moto, of which a planted fault changes one or two.
"""

import copyreg
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from threading import RLock
from typing import Any

import botocore.session
from moto.backends import get_backend

from tests.kit.account import in_memory

_backend: Any = get_backend
_READS = ("Describe", "Get", "List", "Lookup")

# A queue of moto's has a lock; a copy has one of its own.
copyreg.pickle(type(RLock()), lambda _: (RLock, ()))


class Remembering(botocore.session.Session):
    """A session with one client for each service, which can remember what it was answered."""

    def __init__(self) -> None:
        super().__init__()
        self._clients: dict[str, Any] = {}
        self._answers: dict[str, Any] | None = None
        self.written: set[str] = set()

    def create_client(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        if service_name not in self._clients:
            made: Any = super().create_client(service_name, *args, **kwargs)
            made.meta.events.register_last("before-call", self._remembered)
            # Before botocore's own handlers, which decode what is in an answer.
            event = f"after-call.{made.meta.service_model.service_id.hyphenize()}"
            made.meta.events.register_first(event, self._remember)
            self._clients[service_name] = made
        return self._clients[service_name]

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Remember the answers of services that nobody writes to meanwhile."""
        self._answers = {}
        self.written.clear()
        yield
        self._answers = None

    def _remembered(
        self, model: Any, params: dict[str, Any], context: dict[str, Any], **_: Any
    ) -> Any:
        service = model.service_model.service_name
        if self._answers is None or service in self.written:
            return None
        if not model.name.startswith(_READS):
            self.written.add(service)
            return None
        asked = [params[part] for part in ("url_path", "query_string", "body")]
        context["asked"] = f"{service} {model.name} {asked}"
        return deepcopy(self._answers.get(context["asked"]))

    def _remember(
        self, http_response: Any, parsed: dict[str, Any], context: dict[str, Any], **_: Any
    ) -> None:
        if self._answers is not None and "asked" in context:
            self._answers.setdefault(context["asked"], deepcopy((http_response, parsed)))


@cache
def session() -> Remembering:
    """Return the one session of these tests: making clients takes longer than what they do."""
    return Remembering()


class Standing:
    """What was furnished, by service, account and region."""

    def __init__(self, services: tuple[str, ...]) -> None:
        self._kept: dict[str, Any] = {
            service: {key: deepcopy(dict(each)) for key, each in _backend(service).items()}
            for service in services
        }

    def put_back(self) -> None:
        """Undo what was written since it was furnished, or put back last."""
        for service in session().written:
            for account, regions in deepcopy(self._kept[service]).items():
                _backend(service)[account].update(regions)
        session().written.clear()


@contextmanager
def standing(furnish: Callable[[], None]) -> Iterator[Standing]:
    """Have an AWS in memory, furnished by calls of `session`."""
    with in_memory(executions=False), session().remembering():
        furnish()
        made = Standing(tuple(session().written))
        session().written.clear()
        yield made
