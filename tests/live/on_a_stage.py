"""The steps against the stage that `make live` names; in no other target."""

import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from tests.live.stage import Live, NotHere
from tests.live.steps import take
from tests.live.trail import refusals
from trivet import aws
from trivet.api import Api


@pytest.fixture
def live() -> Iterator[Live]:
    """The stage; whatever happens, the throw-away environment is removed at the end."""
    session: Any = botocore.session.Session()
    stage = os.environ["STAGE"]
    url = os.environ.get("TRIVET_URL") or aws.find_url(stage)

    def client(service: str, region: str | None = None) -> Any:
        return session.create_client(service, region_name=region)

    tried = Live(
        Api(url, session),
        client,
        partial(_federated, client, url),
        partial(_refused, client, stage, datetime.now(UTC)),
        time.monotonic,
        time.sleep,
    )
    yield tried
    tried.clean()
    assert tried.left() == [], "left behind"


def test_the_contract(live: Live) -> None:
    for _ in take(live, lambda line: print(line, file=sys.stderr, flush=True)):  # noqa: T201
        pass


def _federated(client: Any, url: str, statement: dict[str, str]) -> Api:
    """Return the API for a session of 15 minutes with these rights alone."""
    try:
        told = client("sts").get_federation_token(
            Name="live-team",
            DurationSeconds=900,
            Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )["Credentials"]
    except ClientError as error:
        raise NotHere(
            f"a team's caller needs GetFederationToken of an IAM user: {error}"
        ) from error
    session = botocore.session.Session()
    session.set_credentials(told["AccessKeyId"], told["SecretAccessKey"], told["SessionToken"])
    return Api(url, session)


def _refused(client: Any, stage: str, since: datetime) -> list[str]:
    pages = (
        # Where CloudTrail has IAM's events.
        client("cloudtrail", "us-east-1")
        .get_paginator("lookup_events")
        .paginate(StartTime=since - timedelta(minutes=1), EndTime=datetime.now(UTC))
    )
    return refusals((each["CloudTrailEvent"] for page in pages for each in page["Events"]), stage)
