"""The policy of a team in docs/many-accounts.md lets in whom it should, and nobody else."""

import json
import re

from tests.iam.authorization import AuthorizationRequest
from tests.iam.simulator import simulate
from tests.kit.names import ROOT

API = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod"
HERE = "accounts/210987654321/environments"


def test_a_teams_policy_is_limited_to_its_account_and_prefix() -> None:
    page = (ROOT / "docs/many-accounts.md").read_text()
    [text] = re.findall(r"```json execute-api team-in-account\n(.*?)```", page, re.DOTALL)
    may = [
        f"PUT/{HERE}/datalake-dev",
        f"GET/{HERE}/datalake-dev",
        f"GET/{HERE}/datalake-dev/drift",
        f"POST/{HERE}/datalake-dev/smoke-test",
    ]
    may_not = [
        f"PUT/{HERE}/other-dev",
        "PUT/accounts/300000000001/environments/datalake-dev",
        "PUT/environments/datalake-dev",
        f"POST/{HERE}",
        f"POST/{HERE}/datalake-dev/adopt",
        f"DELETE/{HERE}/datalake-dev",
        f"DELETE/{HERE}/datalake-dev/deletion-protection",
        "PUT/accounts/210987654321",
        "POST/drift-runs",
    ]
    caller = "arn:aws:iam::123456789012:role/caller"
    asked = [
        ("team", AuthorizationRequest("execute-api:Invoke", f"{API}/{each}", caller))
        for each in may + may_not
    ]
    decisions = simulate({"team": json.loads(text)}, asked)
    assert [each.allowed for each in decisions] == [True] * len(may) + [False] * len(may_not)
