"""The breadth of roles: what the history adds up to is what AWS holds, or is said to be unknown."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli import documents
from tests.kit import inventory
from tests.kit.drifts import named
from tests.kit.names import NAME
from tests.kit.world import World
from trivet import wiring
from trivet.errors import Problem
from trivet.wiring import breadth
from trivet.wiring.breadth import Breadth

AWS = "arn:aws:iam::aws:policy"
OWN = f"arn:aws:iam::{documents.ACCOUNT}:policy/{NAME}-Own"
ROLES = tuple(documents.environment()["roles"])


# --- over the API itself


def _read(world: World) -> dict[str, Breadth]:
    here = f"/environments/{NAME}"

    def page(cursor: str | None) -> Any:
        following = f"&cursor={cursor}" if cursor else ""
        return world.get(f"{here}/history?limit=2{following}").body

    return breadth.read(world.get(here).body, page)


def _held(name: str) -> Breadth:
    """Return the breadth of a role as IAM holds it."""
    role = inventory.role(name)
    own = [arn for arn in role["attached"] if not arn.startswith(AWS)]
    told = [*role["inline"].values(), *(inventory.policy(arn)["document"] for arn in own)]
    allowed = [each for one in told for each in one["Statement"] if each["Effect"] == "Allow"]
    everything = {action for each in allowed for action in _actions(each)}
    anywhere = {
        action for each in allowed if each.get("Resource") == "*" for action in _actions(each)
    }
    return Breadth(
        aws_managed=tuple(
            sorted(arn.rpartition("/")[2] for arn in role["attached"] if arn.startswith(AWS))
        ),
        services=tuple(sorted({each.split(":")[0] for each in everything})),
        anywhere=len(anywhere),
    )


def _actions(statement: Any) -> Iterator[str]:
    actions = statement["Action"]
    yield from [actions] if isinstance(actions, str) else actions


def _all_held() -> dict[str, Breadth]:
    return {key: _held(documents.role_name(key)) for key in ROLES}


EXTRAS = (
    ("managed_policy_attached", "notebook"),
    ("inline_policy_added", "notebook"),
    ("role_deleted", "workflow_execution"),
)
OF_STANDARD = (
    ("inline_policy_edited", "notebook"),
    ("policy_edited", "lambda_trigger"),
    ("managed_policy_detached", "lambda_trigger"),
)


@pytest.mark.parametrize(
    ("first", "then", "drifts"),
    [
        ("standard", "scoped", EXTRAS + OF_STANDARD),
        pytest.param("scoped", "standard", EXTRAS, marks=pytest.mark.soak),
    ],
)
def test_the_history_adds_up_to_what_iam_holds(
    world: World, first: str, then: str, drifts: tuple[tuple[str, str], ...]
) -> None:
    world.provision(profile=first)
    made = _read(world)
    assert made == _all_held()

    for drift, key in drifts:
        named(drift).on(NAME, key)
    world.post(f"/environments/{NAME}/reapply")
    assert _read(world) == made == _all_held()

    world.provision(profile=then)
    assert _read(world) == _all_held() != made


def test_an_adopted_role_is_unknown_and_one_made_beside_it_is_not(world: World, iam: Any) -> None:
    name, trust = documents.role_name("notebook"), '{"Version": "2012-10-17", "Statement": []}'
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    iam.attach_role_policy(RoleName=name, PolicyArn=f"{AWS}/AmazonS3FullAccess")
    assert world.post(f"/environments/{NAME}/adopt", {}).status == 201
    world.finish()

    told = _read(world)

    assert "adopted" in told["notebook"].unknown
    held = _all_held()
    assert {key: told[key] for key in ROLES[1:]} == {key: held[key] for key in ROLES[1:]}


def test_of_an_earlier_environment_of_the_name_nothing_counts(world: World) -> None:
    world.provision(profile="standard")
    world.clock.sleep(1)
    assert world.delete(f"/environments/{NAME}").status == 200
    world.clock.sleep(1)
    world.provision(profile="scoped")

    assert _read(world) == _all_held()


# --- from entries


def _change(kind: str, expected: Any, actual: Any = None, resource: str = "arn:role") -> Any:
    return {
        **documents.created(),
        "kind": kind,
        "resource": resource,
        "expected": expected,
        "actual": actual,
    }


def _entry(operation: str, *changes: Any, outcome: str = "done") -> Any:
    entry = documents.history_entry(operation=operation, outcome=outcome)
    return {**entry, "changes": [*changes]}


def _inline(*statements: Any) -> Any:
    document = {"Version": "2012-10-17", "Statement": [*statements]}
    return _change("put_inline_policy", {"name": "Own", "document": document})


def _allow(**fields: Any) -> Any:
    return {"Effect": "Allow", **fields}


def _of_pages(*pages: Any, **fields: Any) -> Breadth:
    """Return the notebook's breadth by these pages of entries, the newest first."""

    def page(cursor: str | None) -> Any:
        at = int(cursor or 0)
        following = str(at + 1) if at + 1 < len(pages) else None
        return {"entries": pages[at], "next_cursor": following}

    return breadth.read(documents.environment(**fields), page)["notebook"]


MADE = _change("create_role", {"name": "role"})


def test_what_is_allowed_on_all_resources_is_counted() -> None:
    told = _of_pages(
        [
            _entry(
                "create",
                MADE,
                _inline(
                    _allow(Action=["s3:Get*", "s3:PutObject"], Resource="*"),
                    _allow(Action="S3:get*", Resource=["arn:aws:s3:::b", "*"]),
                    _allow(Action="glue:GetTable", Resource="arn:aws:glue:*"),
                    _allow(Action="sns:Publish", NotResource="arn:aws:sns:::x"),
                    {"Effect": "Deny", "Action": "iam:*", "Resource": "*"},
                ),
            )
        ]
    )

    assert told == Breadth(services=("glue", "s3", "sns"), anywhere=3)
    assert told.lines() == [
        "no AWS managed policies",
        "own policies: 3 actions on *; services glue, s3, sns",
    ]


def test_all_actions_but_some_are_all() -> None:
    told = _of_pages([_entry("create", MADE, _inline(_allow(NotAction="iam:*", Resource="*")))])

    assert told == Breadth(services=("*",), anywhere=1)


def test_what_was_taken_away_is_not_declared() -> None:
    document = {"Statement": _allow(Action="iam:PassRole", Resource="arn:role")}
    told = _of_pages(
        [
            _entry("reapply", _change("detach_managed_policy", None, f"{AWS}/AdministratorAccess")),
            _entry("declare", _change("delete_policy", None, {"name": "Own"}, OWN)),
        ],
        [
            _entry(
                "create",
                _change("create_policy", {"document": document}, resource=OWN),
                MADE,
                _change("attach_managed_policy", OWN),
                _change("attach_managed_policy", f"{AWS}/AmazonS3FullAccess"),
            )
        ],
    )

    assert told.lines() == [
        "1 AWS managed policy, 1 FullAccess: AmazonS3FullAccess",
        "own policies: nothing on *",
    ]


def test_where_the_beginning_is_lacking_the_breadth_is_unknown() -> None:
    later = _entry("declare", _inline(_allow(Action="s3:*", Resource="*")))
    rebuilt = _entry("drift_repair", MADE, _change("attach_managed_policy", OWN))
    gone = _entry("delete")

    assert "kept 400 days" in _of_pages([later]).unknown
    assert "kept 400 days" in _of_pages([later, gone, _entry("create", MADE)]).unknown
    assert "kept 400 days" in _of_pages([rebuilt]).unknown  # the attached policy's document
    assert "adopted" in _of_pages([later, _entry("adopt")]).unknown
    assert "2,000 entries" in _of_pages(*[[later]] * 21).unknown
    assert "incomplete" in _of_pages([_entry("create", MADE)], status="incomplete").unknown


def test_a_deletion_that_failed_is_no_end() -> None:
    failed = _entry("delete", outcome="failed")

    assert _of_pages([failed], [_entry("create", MADE)]) == Breadth()


def test_nothing_older_than_the_creation_is_asked_for() -> None:
    asked: list[str | None] = []

    def page(cursor: str | None) -> Any:
        asked.append(cursor)
        return {"entries": [_entry("create", MADE)], "next_cursor": "older"}

    breadth.read(documents.environment(), page)

    assert asked == [None]


def test_a_history_that_the_caller_may_not_read_is_named() -> None:
    def page(_: str | None) -> Any:
        raise Problem(403, "Forbidden", "jo is not authorized to perform execute-api:Invoke")

    told = breadth.read(documents.environment(), page)

    assert set(told) == set(ROLES)
    assert "jo is not authorized" in told["notebook"].unknown
    for draw in (wiring.text, wiring.mermaid, wiring.svg):
        assert "breadth unknown" in draw(documents.environment(), None, told)


def test_every_form_shows_it() -> None:
    broad = Breadth("", ("AmazonS3FullAccess", "SecretsManagerReadWrite"), ("iam", "s3"), 38)

    for draw in (wiring.text, wiring.mermaid, wiring.svg):
        drawn = draw(documents.environment(), None, {"notebook": broad})
        assert "2 AWS managed policies, 1 FullAccess" in drawn
        assert "AmazonS3FullAccess" in drawn
        assert "SecretsManagerReadWrite" in drawn
        assert "38 actions on *" in drawn
        assert "iam, s3" in drawn
