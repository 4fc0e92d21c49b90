"""The permissions boundary of all that Trivet makes: made, or brought up to date.

With the deployer's credentials, since Trivet's functions may never change it.
"""

import json
from typing import Any

from botocore.exceptions import ClientError

from tools.deploy.target import Action, Actions, Target
from tools.operations.names import BOUNDARY

MOST_VERSIONS = 5
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

DESCRIPTION = "The most that any role which Trivet makes may do"


def steps(target: Target) -> Actions:
    """Yield what the boundary needs."""
    named = target.variables.get("TRIVET_PERMISSIONS_BOUNDARY")
    if named:
        # The deployment has another boundary, or none: that is its owner's.
        return
    wanted = json.loads((target.repository / "policies" / "permissions-boundary.json").read_text())
    text = json.dumps(wanted, separators=(",", ":"))
    iam, arn = target.client("iam"), target.arn("iam", f"policy/{BOUNDARY}")
    try:
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        yield Action(
            f"boundary: make {arn}",
            lambda: iam.create_policy(
                PolicyName=BOUNDARY, PolicyDocument=text, Description=DESCRIPTION
            ),
        )
        return
    found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    if found == wanted:
        return
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    if len(versions) >= MOST_VERSIONS:
        oldest = _oldest(versions)
        yield Action(
            f"boundary: delete its oldest version {oldest}, to have room for a new one",
            lambda: iam.delete_policy_version(PolicyArn=arn, VersionId=oldest),
        )
    yield Action(
        f"boundary: a new version in place of {version}: {_difference(found, wanted)}",
        lambda: iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True),
    )


def _oldest(versions: list[dict[str, Any]]) -> str:
    others = [each for each in versions if not each["IsDefaultVersion"]]
    return str(min(others, key=lambda each: int(each["VersionId"][1:]))["VersionId"])


def _difference(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    before, after = (
        {each.get("Sid", ""): each for each in document["Statement"]}
        for document in (found, wanted)
    )
    changed = sorted(sid for sid in before | after if before.get(sid) != after.get(sid))
    return f"statements {', '.join(changed)} differ" if changed else "its order differs"
