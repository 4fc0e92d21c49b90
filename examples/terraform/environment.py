"""The program of main.tf's data source: a query as JSON in, the roles' ARNs by key out."""

import json
import sys
from pathlib import Path

from botocore.session import Session

sys.path.insert(0, str(Path(__file__).parent.parent))
from provision import ask

query = json.load(sys.stdin)
environment = ask(
    Session(), "PUT", f"/environments/{query['name']}", json.loads(query["declaration"])
)
json.dump({key: role["arn"] for key, role in environment["roles"].items()}, sys.stdout)
