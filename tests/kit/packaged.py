"""Trivet as Chalice packages it: built from a copy of the checkout, and run as on Lambda."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from tools.child import REPOSITORY
from tools.embedded_aws import without_aws

# What the Lambda runtime has besides Python itself; jmespath comes with the package too.
_RUNTIME = ("boto3", "botocore", "dateutil", "s3transfer", "six.py", "urllib3")

_INVOKE = """
import importlib, json, sys
paths, (module, name), event = json.load(sys.stdin)
sys.path[:0] = paths

class Context:
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    function_name = "trivet"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:trivet"
    memory_limit_in_mb = 512

    def get_remaining_time_in_millis(self):
        return 60_000

answer = getattr(importlib.import_module(module), name)(event, Context())
outside = [
    name for name, loaded in list(sys.modules.items())
    if "site-packages" in (getattr(loaded, "__file__", None) or "")
]
print(json.dumps({"answer": answer, "outside": outside}))
"""


STAGES = ("dev", "prod")


def make_packages(project: Path) -> None:
    """Make a copy of the checkout with its packages, each in a folder named for its stage."""
    copy_project(project)
    for stage in STAGES:
        package(project, stage, "--stage", stage)


def copy_project(folder: Path) -> None:
    """Copy what Chalice packages, and nothing that it left behind."""
    folder.mkdir()
    for name in ("app.py", "requirements.txt"):
        shutil.copy(REPOSITORY / name, folder)
    left_behind = shutil.ignore_patterns("__pycache__", "deployed", "deployments")
    for name in (".chalice", "chalicelib", "policies", "vendor"):
        shutil.copytree(REPOSITORY / name, folder / name, symlinks=True, ignore=left_behind)


def chalice(
    project: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the `chalice` command in a project as make does, by default without an AWS account."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from chalice.cli import main; sys.exit(main())",
            *arguments,
        ],
        cwd=project,
        env=dict(environment or without_account()) | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def without_account() -> dict[str, str]:
    """Return an environment in which the AWS SDK finds a region, and no credentials."""
    return without_aws(os.environ) | {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def package(project: Path, out: str, *options: str) -> Path:
    """Run `chalice package` as `make package` does, and return the folder that it wrote."""
    names = ("--merge-template", str(REPOSITORY / "deploy" / "sam-names.json"))
    done = chalice(project, "package", *options, *names, out)
    assert done.returncode == 0, done.stderr
    return project / out


def unpack(zipped: Path, folder: Path) -> None:
    """Unpack a deployment package, with Lambda's own SDK in a folder beside it."""
    with ZipFile(zipped) as content:
        content.extractall(folder / "task")
    runtime = folder / "runtime"
    runtime.mkdir()
    installed = Path(sys.modules["boto3"].__path__[0]).parent
    for name in _RUNTIME:
        copy = shutil.copytree if (installed / name).is_dir() else shutil.copy
        copy(installed / name, runtime / name)


def invoke(
    unpacked: Path, handler: str, event: Mapping[str, Any], environment: Mapping[str, str]
) -> Any:
    """Invoke a handler in a process that sees the package and Lambda's SDK, and nothing else."""
    paths = [str(unpacked / "task"), str(unpacked / "runtime")]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _INVOKE],
        cwd=unpacked / "task",
        env=dict(environment),
        input=json.dumps([paths, handler.rsplit(".", 1), event]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["outside"] == []
    return result["answer"]
