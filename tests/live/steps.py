"""The contract against a stage, in the order of an environment's life.

A step goes on where the one before it ended. It asserts, and may return a line to be told.
"""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.live.drifts import DRIFTS
from tests.live.stage import Live, NotHere
from trivet.api import Problem

SECONDS_FOR_IAM_TO_SHOW = 60
SECONDS_FOR_AN_EVENT = 900
SECONDS_FOR_A_SMOKE_TEST = 180
SECONDS_FOR_A_RUN = 900

Step = Callable[[Live], str | None]


def take(live: Live, tell: Callable[[str], None]) -> Iterator[tuple[str, bool]]:
    """Take each step, tell what came of it, and yield its name and whether it could be taken.

    Raises:
        AssertionError: the stage does not do what the contract says.
    """
    for name, step in STEPS.items():
        try:
            said = step(live)
        except NotHere as reason:
            tell(f"{name}: skipped: {reason}")
            yield name, False
        else:
            tell(f"{name}: {said or 'as it should be'}")
            yield name, True


def stage_answers(live: Live) -> None:
    health = live.ask("GET", "/health")

    caller = live.client("sts").get_caller_identity()
    assert (health["status"], health["account_id"]) == ("ok", caller["Account"])


def environment_is_made_and_works(live: Live) -> None:
    made = live.ask("PUT", live.path, {"tags": {"purpose": "live-test"}})

    assert made["changes"]
    _settle(live)
    again = live.ask("PUT", live.path, {})
    assert again["changes"] == []
    assert again["tags"] == {"purpose": "live-test"}


def deleted_and_made_anew_at_once(live: Live) -> None:
    live.ask("DELETE", live.path)
    live.ask("POST", "/environments", {"name": live.name})

    _settle(live)


def _settle(live: Live) -> None:
    def succeeded() -> bool:
        status = live.ask("GET", live.path)["smoke_test"]["status"]
        assert status != "failed"
        return bool(status == "succeeded")

    live.until(succeeded, SECONDS_FOR_A_SMOKE_TEST, "the smoke test")


def drift_is_put_back(change: Callable[[Live], None], live: Live) -> str:
    """Change something by hand, and wait until the event of it has had it put back."""
    change(live)
    live.until(lambda: not live.in_sync(), SECONDS_FOR_IAM_TO_SHOW, "IAM showing the change")
    took = live.until(live.in_sync, SECONDS_FOR_AN_EVENT, "the event's repair")
    [entry, *_] = live.ask("GET", f"{live.path}/history")["entries"]
    assert entry["operation"] == "event_repair"
    assert entry["cause"]["actor"]
    return f"put back after {took:.0f} s"


def roles_carry_the_boundary(live: Live) -> None:
    iam = live.client("iam")
    for each in live.ask("GET", live.path)["roles"].values():
        role = iam.get_role(RoleName=each["name"])["Role"]
        assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].startswith("arn:"), each


def another_boundary_is_refused(live: Live) -> None:
    arn = live.client("iam").get_role(RoleName=live.role)["Role"]["Arn"]
    other = f"{arn.partition(':role/')[0]}:policy/of-the-caller"
    _refused(live, "PUT", live.path, 422, {"permissions_boundary": other})


def team_caller_is_refused_what_it_was_not_given(live: Live) -> None:
    arn = live.client("iam").get_role(RoleName=live.role)["Role"]["Arn"]
    _, partition, _, _, account, _ = arn.split(":")
    route = f"arn:{partition}:execute-api:*:{account}:*/*/GET{live.path}"
    team = live.federated({"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": route})
    assert team.call("GET", live.path).body["name"] == live.name
    for method, path in (("DELETE", live.path), ("PUT", live.path), ("GET", "/environments")):
        with pytest.raises(Problem) as refused:
            team.call(method, path, {} if method == "PUT" else None)
        assert refused.value.status == 403, f"{method} {path}"


def protected_environment_is_not_deleted(live: Live) -> None:
    live.ask("PUT", live.path, {"deletion_protection": True})
    _refused(live, "DELETE", live.path, 409)
    live.ask("DELETE", f"{live.path}/deletion-protection")


def _refused(live: Live, method: str, path: str, status: int, body: object = None) -> None:
    with pytest.raises(Problem) as refused:
        live.ask(method, path, body)
    assert refused.value.status == status


def fleet_run_finds_it_in_sync(live: Live) -> str:
    report = live.ask("POST", "/drift-runs", {"apply": False, "wait": 20})

    def finished() -> bool:
        report.update(live.ask("GET", f"/drift-runs/{report['id']}"))
        return bool(report["status"] == "finished")

    live.until(finished, SECONDS_FOR_A_RUN, "the run")
    assert live.name not in {each["name"] for each in report["environments"]}
    assert report["checked"] >= 1
    return f"{report['checked']} environments checked, {report['drifted']} drifted"


def nothing_is_left_when_it_is_deleted(live: Live) -> None:
    deleted = live.ask("DELETE", live.path)

    assert deleted["left"] == []
    assert live.left() == []
    _refused(live, "GET", live.path, 404)


def trivet_was_refused_nothing(live: Live) -> None:
    assert live.refused() == []


STEPS: dict[str, Step] = {
    "the stage answers": stage_answers,
    "an environment is made, works, and is as declared": environment_is_made_and_works,
    "deleted, and made anew at once": deleted_and_made_anew_at_once,
    **{f"drift by hand ({each.__name__})": partial(drift_is_put_back, each) for each in DRIFTS},
    "its roles carry the boundary": roles_carry_the_boundary,
    "another boundary is refused": another_boundary_is_refused,
    "a team's caller is refused what it was not given": (
        team_caller_is_refused_what_it_was_not_given
    ),
    "a protected environment is not deleted": protected_environment_is_not_deleted,
    "a run over the fleet finds it in sync": fleet_run_finds_it_in_sync,
    "nothing is left when it is deleted": nothing_is_left_when_it_is_deleted,
    "CloudTrail has no AccessDenied of Trivet's roles": trivet_was_refused_nothing,
}
