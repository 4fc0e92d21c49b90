"""What `tests/test_contributing.py` runs in a copy of the code that knows one kind more."""

import json
import sys
from typing import Any

from tests.kit.account import client
from tests.kit.names import NAME, ROLES
from tests.kit.product import IAM_CHANGES, document
from tests.kit.world import fresh

from .support import drift, only, provision, requested_run

ROLE = f"{NAME}-{ROLES['notebook']}"


def held() -> list[str]:
    """Return the instance profiles that hold the role."""
    pages = client("iam").list_instance_profiles_for_role(RoleName=ROLE)
    return [each["InstanceProfileName"] for each in pages["InstanceProfiles"]]


def hold() -> None:
    client("iam").add_role_to_instance_profile(InstanceProfileName="theirs", RoleName=ROLE)
    assert held() == ["theirs"]


def kinds(changes: Any) -> list[str]:
    return [each["kind"] for each in changes]


def seen() -> dict[str, Any]:
    """Drift thrice, and return what each way to see it says, and what is left after each repair."""
    with fresh() as world:
        provision(world, NAME)
        client("iam").create_instance_profile(InstanceProfileName="theirs")
        hold()
        planned = world.ask_for(dry_run=True).body
        found = drift(world, NAME)
        report = only(requested_run(world))
        after_run = held()
        hold()
        reapplied = world.post(f"/environments/{NAME}/reapply").body
        described = document()["components"]["schemas"]["ChangeKind"]
        result = {
            "plan": kinds(planned["changes"]),
            "drift": [each["summary"] for each in found["changes"]],
            "report": [report["outcome"], kinds(report["changes"])],
            "after the run": after_run,
            "reapplied": kinds(reapplied["changes"]),
            "after that": held(),
            "in sync": drift(world, NAME)["in_sync"],
            "documented": "remove_from_instance_profile" in described["enum"],
            "events": sorted(
                each for each in IAM_CHANGES["detail"]["eventName"] if "InstanceProfile" in each
            ),
        }
        # The kit's list of what the oldest SDK knows has the calls that Trivet makes without it.
        world.wire.calls.clear()
        return result


if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(seen())}\n")
