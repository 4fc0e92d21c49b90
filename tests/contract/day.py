"""A day of answers: what the OpenAPI document has as examples, written by

python -m tests.contract.day

into `chalicelib/api/examples.json`: by operation and status, an answer that Trivet gave here. Of
each list of documents the first is kept, ids are numbered, and times are whole minutes.
"""

import itertools
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from tests.accounts.support import MEMBER, Stage, withdrawn
from tests.kit import product
from tests.kit.checks import Answer, route
from tests.kit.drifts import delete_role, named
from tests.kit.events import cloudtrail
from tests.kit.http import invoke, on_lambda
from tests.kit.names import NAME, OPEN_TRUST, ROOT
from tests.kit.world import World, fresh

EXAMPLES = ROOT / "chalicelib" / "api" / "examples.json"
MORNING = datetime(2026, 11, 25, 9, tzinfo=UTC).timestamp()
OTHER = "datalake-producer-dev"
ID = re.compile(r"\b[0-9a-f]{32}\b|(?<=[0-9Z]-)[0-9a-f]{12}\b")
SECONDS = re.compile(r":\d\d\.\d{3}Z")

Ask = Callable[..., Any]


def answers() -> dict[str, dict[str, Any]]:
    """Return the answers of a day, by operation and status."""
    found: dict[str, dict[str, Any]] = {}
    with _stage() as world:
        minutes = itertools.count(1)

        def ask(method: str, path: str, body: Any = None) -> Any:
            world.clock.set(MORNING + 60 * next(minutes))
            answer = on_lambda(method, path, body)
            _keep(found, method, path, answer)
            return answer.body

        _declared(ask)
        _drifted(ask, world)
        _accounts(ask, world)
        _deleted(ask)
    numbers: dict[str, str] = {}

    def number(given: re.Match[str]) -> str:
        short = numbers.setdefault(given[0][:12], f"{len(numbers) + 1:012}")
        return short.ljust(len(given[0]), "0")

    told = SECONDS.sub(":00.000Z", ID.sub(number, json.dumps(found)))
    stable: dict[str, dict[str, Any]] = json.loads(told)
    return stable


def text() -> str:
    """Return the file: a line for each answer."""
    operations = [
        f"  {json.dumps(name)}: {{\n"
        + ",\n".join(f'    "{status}": {json.dumps(body)}' for status, body in kept.items())
        + "\n  }"
        for name, kept in sorted(answers().items())
    ]
    return "{\n" + ",\n".join(operations) + "\n}\n"


@contextmanager
def _stage() -> Iterator[World]:
    """Have a deployed stage in the morning, with the fleet's state machine."""
    deployed = {"AWS_LAMBDA_FUNCTION_NAME": "trivet-dev", "TRIVET_STAGE": "dev"}
    with (
        patch.dict(os.environ, deployed),
        fresh() as world,
        world.wire.through(Stage(world).machine),
    ):
        yield world


def _keep(found: dict[str, dict[str, Any]], method: str, path: str, answer: Answer) -> None:
    """Keep the first answer of each status that an operation gives."""
    served = route(method, path.partition("?")[0])
    [operation] = [
        each.name for each in product.ENDPOINTS if (each.method, each.path) == (method, served)
    ]
    found.setdefault(operation, {}).setdefault(str(answer.status), _shortened(answer.body))


def _shortened(value: Any) -> Any:
    """Return a document with the first of each list of documents, policies apart."""
    if isinstance(value, list):
        cut = value[:1] if all(isinstance(each, dict) for each in value) else value
        return [_shortened(each) for each in cut]
    if isinstance(value, dict):
        whole = ("expected", "actual", "errors")
        return {key: each if key in whole else _shortened(each) for key, each in value.items()}
    return value


def _declared(ask: Ask) -> None:
    ask("GET", "/health")
    ask("GET", "/profiles")
    ask("GET", "/profiles/scoped")
    ask("GET", f"/environments/{NAME}")
    ask("POST", "/environments", {"name": NAME, "wait": 99, "colour": "red"})
    ask("POST", "/environments", {"name": NAME})
    ask("POST", "/environments", {"name": NAME, "tags": {"team": "datalake"}})
    ask("PUT", f"/environments/{OTHER}", {"deletion_protection": True})
    ask("PUT", f"/environments/{OTHER}", {"on_extras": "report"})
    ask("GET", f"/environments/{NAME}")
    ask("GET", "/environments?limit=1")


def _drifted(ask: Ask, world: World) -> None:
    named("managed_policy_attached").on(NAME, "notebook")
    ask("GET", f"/environments/{NAME}/drift")
    ask("POST", f"/environments/{NAME}/reapply")
    named("inline_policy_added").on(NAME, "notebook")
    parameters = {"roleName": f"{NAME}-SageMaker", "policyName": "theirs"}
    invoke("iam_change", cloudtrail(world.clock.now(), "PutRolePolicy", parameters))
    ask("GET", f"/environments/{NAME}/history")
    ask("POST", f"/environments/{NAME}/smoke-test")
    until = {"until": "2026-11-25T18:00:00Z", "reason": "an incident"}
    ask("POST", f"/environments/{NAME}/pause", until)
    ask("DELETE", f"/environments/{NAME}/pause")
    named("trust_opened").on(NAME, "notebook")
    run = ask("POST", "/drift-runs")
    ask("GET", f"/drift-runs/{run['id']}")
    ask("GET", "/drift-runs/latest")
    ask("GET", "/drift-runs")
    delete_role(f"{NAME}-SageMaker")
    _someone_makes(f"{NAME}-SageMaker")
    ask("POST", "/environments", {"name": NAME})
    ask("POST", f"/environments/{NAME}/adopt")
    _someone_makes("datalake-legacy-dev-SageMaker")
    ask("POST", "/environments/datalake-legacy-dev/adopt", {"wait": 0})


def _accounts(ask: Ask, world: World) -> None:
    with world.wire.through(withdrawn(MEMBER)):
        ask("PUT", f"/accounts/{MEMBER}", {"alias": "ml-dev"})
    ask("PUT", f"/accounts/{MEMBER}", {"alias": "ml-dev"})
    ask("PUT", f"/accounts/{MEMBER}", {"alias": "ml-test"})
    ask("GET", f"/accounts/{MEMBER}")
    ask("GET", "/accounts")
    ask("POST", "/drift-runs", {"wait": 0})
    ask("DELETE", f"/accounts/{MEMBER}")


def _deleted(ask: Ask) -> None:
    ask("DELETE", f"/environments/{OTHER}")
    ask("DELETE", f"/environments/{OTHER}/deletion-protection")
    named("managed_policy_attached").on(OTHER, "notebook")
    ask("DELETE", f"/environments/{OTHER}")


def _someone_makes(role: str) -> None:
    iam = product.home().target.iam
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(OPEN_TRUST))


def _write() -> None:
    secrets = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with patch.dict(os.environ, {**secrets, "AWS_DEFAULT_REGION": "us-east-1"}):
        EXAMPLES.write_text(text())


if __name__ == "__main__":
    _write()
