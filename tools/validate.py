"""`make validate`: puts every document of every profile to IAM Access Analyzer.

It asks AWS with the caller's credentials, changes nothing, and is no part of `make ci`:

- ValidatePolicy for all documents: an error or a security warning fails.
- CheckNoPublicAccess for the trust policies.
- CheckNoNewAccess for each role's own policies against those of the last release (the last git
  tag): what is wider is named, and fails, so that a release widens nothing unnoticed.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-checks-validating-policies.html
The two checks cost USD 0.002 each; ValidatePolicy is free.
"""

import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3

from chalicelib import catalogue
from chalicelib.catalogue.catalogue import Catalogue
from chalicelib.errors import TrivetError
from chalicelib.model.desired import Desired, Document, Place
from tools.child import REPOSITORY

_NAME = "access-analyzer"
_TRUST = "AWS::IAM::AssumeRolePolicyDocument"
_FAILING = ("ERROR", "SECURITY_WARNING")


def findings(
    analyzer: Any, place: Place, now: Catalogue, released: Catalogue | None
) -> Iterator[str]:
    """Return what Access Analyzer finds wrong, a line each.

    Args:
        analyzer: a client of `accessanalyzer`.
        place: the account, partition and region to render for.
        now: the profiles as they are.
        released: those of the last release, if there are any.
    """
    for name, profile in now.profiles.items():
        desired = _rendered(now, name, place)
        for role in desired.roles:
            where = f"{profile.name}/{role.key}"
            trust = json.dumps(role.trust_policy)
            yield from _validated(analyzer, f"{where} trust", trust, "RESOURCE_POLICY")
            public = analyzer.check_no_public_access(policyDocument=trust, resourceType=_TRUST)
            yield from _failed(f"{where} trust", public)
            own = _merged(desired, role.key)
            yield from _validated(analyzer, where, json.dumps(own), "IDENTITY_POLICY")
            if released is not None and name in released.profiles:
                before = _merged(_rendered(released, name, place), role.key)
                yield from _failed(
                    f"{where} against the last release",
                    analyzer.check_no_new_access(
                        newPolicyDocument=json.dumps(own),
                        existingPolicyDocument=json.dumps(before),
                        policyType="IDENTITY_POLICY",
                    ),
                )


def _rendered(found: Catalogue, profile: str, place: Place) -> Desired:
    return found.profile(profile).render(
        _NAME, place, tags={}, permissions_boundary=None, parameters={}
    )


def _merged(desired: Desired, key: str) -> Document:
    """Return all that a role has of its own as one policy: a statement may move between two."""
    documents = [
        *desired.role(key).inline_policies.values(),
        *(policy.document for policy in desired.policies if policy.role == key),
    ]
    statements = [
        {name: value for name, value in statement.items() if name != "Sid"}
        for document in documents
        for statement in document["Statement"]
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _validated(analyzer: Any, where: str, document: str, kind: str) -> Iterator[str]:
    of_trust = {"validatePolicyResourceType": _TRUST} if kind == "RESOURCE_POLICY" else {}
    pages = analyzer.get_paginator("validate_policy").paginate(
        policyDocument=document, policyType=kind, **of_trust
    )
    for page in pages:
        for found in page["findings"]:
            line = f"{where}: {found['issueCode']}: {found['findingDetails']}"
            if found["findingType"] in _FAILING:
                yield line
            else:
                print(f"(noted) {line}")


def _failed(where: str, answer: Mapping[str, Any]) -> Iterator[str]:
    if answer["result"] != "PASS":
        reasons = "; ".join(each.get("description", "") for each in answer.get("reasons", []))
        yield f"{where}: {answer.get('message', answer['result'])} {reasons}".rstrip()


def _last_release(folder: Path) -> Catalogue | None:
    """Return the profiles of the last git tag, unpacked into a folder; `None` without any."""
    tag = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0"],  # noqa: S607
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    if not tag:
        return None
    packed = subprocess.run(
        ["git", "archive", tag, "policies"],  # noqa: S607
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    if not any((folder / "policies").glob("*/profile.json")):
        return None
    return catalogue.load(folder / "policies")


def _main() -> int:
    session = boto3.Session()
    identity = session.client("sts").get_caller_identity()
    region = session.region_name or "us-east-1"
    place = Place(identity["Account"], identity["Arn"].split(":")[1], region)
    with tempfile.TemporaryDirectory() as folder:
        try:
            released = _last_release(Path(folder))
            now = catalogue.load()
        except TrivetError as error:
            print(f"make validate: {error}", file=sys.stderr)
            return 1
        if released is None:
            print("There is no release with profiles yet: nothing to hold them against.")
        analyzer: Any = session.client("accessanalyzer", region_name=region)
        found = [*map(str, now.broken.values()), *findings(analyzer, place, now, released)]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(_main())
