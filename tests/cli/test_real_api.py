"""Every command against the API itself, over AWS in memory."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from tests.cli.conftest import Ran, Trivet
from tests.kit import checks
from tests.kit.checks import Answer
from tests.kit.drifts import named
from tests.kit.edge import edge
from tests.kit.names import ACCOUNT, NAME
from tests.kit.world import World
from trivet import progress
from trivet.main import main

MEMBER = "210987654321"
HERE = f"/environments/{NAME}"


@pytest.fixture
def trivet(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trivet]:
    monkeypatch.setattr(progress, "sleep", world.clock.sleep)
    monkeypatch.setattr(progress, "monotonic", world.clock.now)
    runner = CliRunner()
    with edge(world) as url:

        def run(*args: str, **env: str | None) -> Ran:
            result = runner.invoke(main, args, prog_name="trivet", env={"TRIVET_URL": url, **env})
            assert isinstance(result.exception, SystemExit | None), result.exception
            return Ran(result.exit_code, result.stdout, result.stderr)

        yield run


# Each with its exit code, and the route whose document it prints.
LIFE: list[tuple[str, int, str]] = [
    ("plan {name} --tag team=datalake", 2, f"PUT {HERE}"),
    ("apply {name} --tag team=datalake", 0, f"PUT {HERE}"),
    ("plan {name}", 0, f"PUT {HERE}"),
    ("show {name}", 0, f"GET {HERE}"),
    ("list --status ready --tag team=datalake", 0, "GET /environments"),
    ("history {name} --limit 5", 0, f"GET {HERE}/history"),
    ("test {name}", 0, f"POST {HERE}/smoke-test"),
    ("drift {name}", 0, f"GET {HERE}/drift"),
    ("pause {name} --until 4h --reason debugging", 0, f"POST {HERE}/pause"),
    ("resume {name}", 0, f"DELETE {HERE}/pause"),
    ("by hand", 0, ""),
    ("drift {name}", 2, f"GET {HERE}/drift"),
    ("drift", 2, "POST /drift-runs"),
    ("run --preview", 2, "POST /drift-runs"),
    ("reapply {name}", 0, f"POST {HERE}/reapply"),
    ("by hand", 0, ""),
    ("run", 0, "POST /drift-runs"),
    ("runs", 0, "GET /drift-runs"),
    ("runs show latest", 0, "GET /drift-runs/latest"),
    ("adopt {name} --yes", 0, f"POST {HERE}/adopt"),
    ("apply {name} --deletion-protection", 0, f"PUT {HERE}"),
    ("delete {name} --yes", 1, ""),
    ("unprotect {name} --yes", 0, f"DELETE {HERE}/deletion-protection"),
    ("account add {member} --alias ml-dev", 0, f"PUT /accounts/{MEMBER}"),
    ("account list", 0, "GET /accounts"),
    ("account show {home}", 0, f"GET /accounts/{ACCOUNT}"),
    ("account remove {member} --yes", 0, f"DELETE /accounts/{MEMBER}"),
    ("delete {name} --yes", 0, f"DELETE {HERE}"),
    ("show {name}", 1, ""),
]


def test_commands_of_a_life_cycle_print_the_apis_documents(trivet: Trivet) -> None:
    for text, code, route in LIFE:
        if text == "by hand":
            named("managed_policy_attached").on(NAME, "notebook")
            continue
        command = text.format(name=NAME, member=MEMBER, home=ACCOUNT)

        ran = trivet(*command.split(), "-o", "json")

        assert ran.code == code, (command, ran)
        if route:
            method, path = route.split()
            checks.by_openapi(
                method, path, Answer(200, ran.document, {"content-type": checks.JSON})
            )
        else:
            assert ran.out == ""
            assert ran.err.startswith("Error: ")
            assert "Traceback" not in ran.err


def test_people_read_the_same(trivet: Trivet) -> None:
    named_role = f"arn:aws:iam::{ACCOUNT}:role/{NAME}-SageMaker"

    assert named_role in trivet("apply", NAME).out
    named("managed_policy_attached").on(NAME, "notebook")
    assert "AdministratorAccess" in trivet("drift", NAME).out
    drawn = trivet("wiring", NAME, "--format", "text").out
    assert "states.amazonaws.com" in drawn
    assert "7 AWS managed policies, 6 FullAccess: AWSStepFunctionsFullAccess, " in drawn
    assert "breadth unknown" not in drawn
    assert "1 repaired" in trivet("run").out
    assert "drift_repair" in trivet("history", NAME).out
    assert NAME in trivet("list").out
