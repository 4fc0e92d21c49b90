"""The functions, the API and their rules: what `chalice deploy` makes.

Where the stage's functions come from the CloudFormation stack `trivet-<stage>` (docs/deploying.md),
they are left to it.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tools.deploy.preflight import NotReadyError
from tools.deploy.stack import stack_status
from tools.deploy.target import Action, Actions, Target
from tools.operations.names import function_name, role_name


def steps(target: Target) -> Actions:
    """Yield the deployment by Chalice, with what it changes in the functions' permissions.

    Raises:
        NotReadyError: Chalice does not know what it deployed before.
    """
    if stack_status(target.client("cloudformation"), target.app) is not None:
        return
    configured = _configured(target)
    existing = [each for each in configured if _exists(target, each)]
    state = target.repository / ".chalice" / "deployed" / f"{target.stage}.json"
    if existing and not state.exists():
        raise NotReadyError(
            f"{function_name(existing[0], target.stage)} exists already, and {state} does not: "
            "Chalice would try to make everything anew. Bring that file from where the stage was "
            "deployed last, or move to CloudFormation: docs/deploying.md"
        )
    said = [_said(target, each, each in existing) for each in configured]
    yield Action(
        f"functions: chalice deploy --stage {target.stage} ({'; '.join(said)})",
        lambda: _chalice(target),
    )


def _configured(target: Target) -> dict[str, Path]:
    config = json.loads((target.repository / ".chalice" / "config.json").read_text())
    functions = config["stages"][target.stage]["lambda_functions"]
    folder = target.repository / ".chalice"
    return {key: folder / each["iam_policy_file"] for key, each in functions.items()}


def _exists(target: Target, function: str) -> bool:
    name = function_name(function, target.stage)
    return _asked(target.client("lambda").get_function, FunctionName=name) is not None


def _said(target: Target, function: str, exists: bool) -> str:
    name = function_name(function, target.stage)
    if not exists:
        return f"{name} new"
    role = role_name(function, target.stage)
    found = _asked(target.client("iam").get_role_policy, RoleName=role, PolicyName=role)
    wanted = json.loads(_configured(target)[function].read_text())
    same = found is not None and found["PolicyDocument"] == wanted
    return f"{name} updated" + ("" if same else " with other permissions")


def _asked(call: Any, **arguments: str) -> Any:
    """Return AWS's answer, or None where there is no such thing."""
    try:
        return call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchEntity", "ResourceNotFoundException"):
            return None
        raise


def _chalice(target: Target) -> None:
    chalice = [str(Path(sys.executable).parent / "chalice"), "deploy", "--stage", target.stage]
    subprocess.run(chalice, cwd=target.repository, check=True)
