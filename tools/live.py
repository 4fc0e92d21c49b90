"""`make live STAGE=dev`: asks, and then takes the steps of `tests/live` against the stage."""

import os
import sys
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session


def main() -> int:
    """Ask, run, and return the exit code."""
    try:
        session = Session()
        client: Any = session.create_client("sts")
        caller = client.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        print(f"make live needs AWS credentials and a region: {error}", file=sys.stderr)
        return 1
    where = os.environ.get("TRIVET_URL") or f"stage {os.environ.get('STAGE')}"
    print(
        f"This makes, changes and deletes an environment live-... in account {caller['Account']}, "
        f"through {where}, as {caller['Arn']}.\nMost of the time it waits for CloudTrail: some "
        "minutes for each of ten changes. Its history and the report of one run stay."
    )
    asked = sys.stdin.isatty() and input("Go on? (yes/no) ").strip() == "yes"
    if not asked and os.environ.get("TRIVET_LIVE") != "yes":
        print("Nothing was done: that takes a yes, or TRIVET_LIVE=yes.", file=sys.stderr)
        return 1
    # Without the conftest.py of tests/, which keeps credentials out.
    return int(
        pytest.main(
            [
                *("-q", "-s", "-p", "no:cacheprovider", "--confcutdir=tests/live"),
                "tests/live/on_a_stage.py",
            ]
        )
    )


if __name__ == "__main__":
    sys.exit(main())
