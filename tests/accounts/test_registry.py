"""The registry of accounts: every case of the contract."""

from datetime import UTC, datetime

from tests.accounts.support import MEMBER, OTHERS, in_account, provision, register, withdrawn
from tests.kit import product
from tests.kit.http import on_lambda
from tests.kit.names import ACCOUNT, NAME
from tests.kit.wire import refusing
from tests.kit.world import World


def test_an_account_is_registered_after_its_role_was_assumed(world: World) -> None:
    with world.wire.recording() as calls:
        answer = world.put(f"/accounts/{MEMBER}", {"alias": "ml-dev"})
    now = datetime.fromtimestamp(world.clock.now(), UTC)
    assert answer.status == 201
    assert answer.headers["location"] == f"/accounts/{MEMBER}"
    document = answer.body
    assert datetime.fromisoformat(document.pop("registered_at")) <= now
    assert datetime.fromisoformat(document.pop("checked_at")) <= now
    assert document == {
        "account_id": MEMBER,
        "alias": "ml-dev",
        "home": False,
        "status": "connected",
        "detail": None,
        "environments": 0,
        "registered_by": None,
    }
    [assumed] = [call for call in calls if call.action == "AssumeRole"]
    assert assumed.parameters["RoleArn"] == f"arn:aws:iam::{MEMBER}:role/TrivetMember"
    assert assumed.parameters["DurationSeconds"] == "900"
    assert assumed.parameters["Policy"]


def test_registering_again_keeps_the_alias_and_who_was_first(world: World) -> None:
    first = on_lambda("PUT", f"/accounts/{MEMBER}", {"alias": "ml-dev"})
    again = on_lambda("PUT", f"/accounts/{MEMBER}", {}, caller=None)
    assert (first.status, again.status) == (201, 200)
    assert "location" not in again.headers
    for field in ("alias", "registered_at", "registered_by"):
        assert again.body[field] == first.body[field]
    assert first.body["registered_by"].endswith("/alice")


def test_an_account_that_does_not_let_trivet_in_is_not_recorded(world: World) -> None:
    with world.wire.through(withdrawn(MEMBER)):
        answer = world.put(f"/accounts/{MEMBER}", {})
    assert answer.status == 502
    for word in ("TrivetMember", MEMBER, "deploy/member-account.json"):
        assert word in answer.body["detail"]
    assert world.get(f"/accounts/{MEMBER}").status == 404
    assert world.get(in_account(MEMBER)).status == 404


def test_what_is_no_account_id_is_refused(world: World) -> None:
    with world.wire.recording() as calls:
        for wrong in ("1234", "12345678901a", "1234567890123"):
            assert world.put(f"/accounts/{wrong}", {}).status == 422
            assert world.get(f"/accounts/{wrong}").status == 404
    assert "AssumeRole" not in calls.names


def test_accounts_are_listed_home_first_by_pages(world: World) -> None:
    for account_id in (OTHERS[1], MEMBER, OTHERS[0]):
        register(world, account_id)
    provision(world, MEMBER)
    seen, cursor = [], ""
    while True:
        page = world.get(f"/accounts?limit=1{cursor}").body
        seen += page["accounts"]
        assert len(page["accounts"]) == 1
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [each["account_id"] for each in seen] == [ACCOUNT, MEMBER, OTHERS[0], OTHERS[1]]
    assert [each["home"] for each in seen] == [True, False, False, False]
    assert [each["environments"] for each in seen] == [0, 1, 0, 0]
    assert world.get("/accounts").body == {"accounts": seen, "next_cursor": None}


def test_showing_an_account_assumes_its_role_anew(world: World, member: str) -> None:
    with world.wire.through(withdrawn(member)):
        shown = world.get(f"/accounts/{member}").body
        listed = world.get("/accounts").body["accounts"][1]
    assert shown["status"] == "unreachable"
    assert "TrivetMember" in shown["detail"]
    assert listed["status"] == "unreachable"
    back = world.get(f"/accounts/{member}").body
    assert (back["status"], back["detail"]) == ("connected", None)


def test_home_is_an_account_too(world: World) -> None:
    assert world.get(f"/accounts/{ACCOUNT}").body["home"] is True
    named = world.put(f"/accounts/{ACCOUNT}", {"alias": "hub"})
    assert (named.status, named.body["alias"]) == (200, "hub")
    assert len(world.get("/accounts").body["accounts"]) == 1
    assert world.delete(f"/accounts/{ACCOUNT}").status == 409
    world.provision(NAME)
    assert world.get(in_account(ACCOUNT, f"/{NAME}")).status == 200


def test_an_account_is_forgotten_once_it_has_no_environments(world: World, member: str) -> None:
    provision(world, member)
    refused = world.delete(f"/accounts/{member}")
    assert refused.status == 409
    assert in_account(member) in refused.body["detail"]
    assert world.delete(in_account(member, f"/{NAME}")).status == 200
    with world.wire.recording() as calls:
        assert world.delete(f"/accounts/{member}").status == 200
    assert {call.account for call in calls} == {ACCOUNT}
    assert world.delete(f"/accounts/{member}").status == 404
    assert world.get(f"/accounts/{member}").status == 404


def test_no_route_serves_an_account_that_is_not_registered(world: World) -> None:
    routes = [
        each
        for each in product.ENDPOINTS
        if each.path.startswith("/accounts/{account_id}/environments")
    ]
    assert len(routes) == len([e for e in product.ENDPOINTS if e.path.startswith("/environments")])
    bodies = {
        "provisionEnvironmentInAccount": {"name": NAME},
        "pauseEnvironmentInAccount": {"until": _tomorrow(world), "reason": "a test"},
    }
    with world.wire.recording(refusing("AssumeRole", "AccessDenied")) as calls:
        for each in routes:
            path = each.path.replace("{account_id}", MEMBER).replace("{name}", NAME)
            body = bodies.get(each.name, {} if each.method in ("POST", "PUT") else None)
            answer = world.request(each.method, path, body)
            assert answer.status == 404, (each.path, answer)
            assert MEMBER in answer.body["detail"]
    assert "AssumeRole" not in calls.names


def _tomorrow(world: World) -> str:
    return datetime.fromtimestamp(world.clock.now() + 86_400, UTC).isoformat()
