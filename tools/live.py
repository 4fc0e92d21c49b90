"""`make live STAGE=dev`: asks, and then runs `tests/live` against a deployed stage."""

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
        f"through {where}, as {caller['Arn']}.\nIt takes up to half an hour, most of it waiting "
        "for CloudTrail."
    )
    if os.environ.get("TRIVET_LIVE") != "yes":
        if not sys.stdin.isatty() or input("Go on? (yes/no) ").strip() != "yes":
            print("Nothing was done.", file=sys.stderr)
            return 1
        os.environ["TRIVET_LIVE"] = "yes"
    # Without the conftest.py of tests/, which keeps credentials out.
    return int(
        pytest.main(["-x", "-v", "-p", "no:cacheprovider", "--confcutdir=tests/live", "tests/live"])
    )


if __name__ == "__main__":
    sys.exit(main())
