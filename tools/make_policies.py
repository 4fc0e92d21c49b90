"""`make policies`: writes what is derived from the templates under `policies/`.

- `.chalice/policy-<stage>-<function>.json`: what each of Trivet's own functions may do.
- `policies/permissions-boundary.json`: a ready boundary for the roles that Trivet provisions.
- `policies/files.txt`: the names of the files there. Chalice takes a package from its cache
  when the contents of all files are equal; with their names among the contents, a file that is
  only renamed makes a new package.
- `deploy/operations.json`: the stack of alarms, dashboard, queues and the fleet's state machine.
- `deploy/sam-names.json`: the functions' names for `chalice package`.
- `cli/trivet/doctor/packaged.json`: what `trivet doctor` holds a deployment against.

All of it is checked in, and CI fails when it is stale.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chalicelib import templates
from chalicelib.templates import TemplateError, Templates
from tools import operations, released
from tools.child import REPOSITORY
from tools.permissions import FUNCTIONS, Names, Stage, function_policy, permissions_boundary

INLINE_POLICY_LIMIT = 10_240
MANAGED_POLICY_LIMIT = 6_144
"""Characters without white space: what a role takes inline, and what a managed policy holds.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""


def generated(repository: Path) -> dict[Path, str]:
    """Return the generated files of a checkout: their contents by their paths in it.

    Raises:
        TemplateError: a template or a policy made from it cannot be right; names the file.
    """
    folder = repository / "policies"
    config = json.loads((repository / ".chalice" / "config.json").read_text())
    loaded = templates.load(folder)
    names = Names.of(loaded, _retired(folder / "retired.json"))
    files: dict[Path, str] = {}
    for stage_name in config["stages"]:
        stage = _stage(config, stage_name)
        for function in FUNCTIONS:
            path = _policy_file(config, stage_name, function)
            policy = function_policy(function, stage, names)
            files[path] = _checked(path, policy, INLINE_POLICY_LIMIT)
    path = Path("policies") / "permissions-boundary.json"
    boundary = permissions_boundary(config["app_name"], loaded)
    files[path] = _checked(path, boundary, MANAGED_POLICY_LIMIT)
    path = Path("policies") / "files.txt"
    found = {file.relative_to(folder) for file in folder.rglob("*") if file.is_file()}
    listed = found | {Path(path.name), Path("permissions-boundary.json")}
    files[path] = "".join(f"{file.as_posix()}\n" for file in sorted(listed))
    files |= _around_the_functions(config, loaded)
    path = Path("cli") / "trivet" / "doctor" / "packaged.json"
    files[path] = _written(_released(config, loaded, files, boundary))
    return files


def _around_the_functions(config: Mapping[str, Any], loaded: Templates) -> dict[Path, str]:
    """Return what `make deploy` and `make package` put around the functions."""
    roles, policies = list(loaded.role_names().values()), list(loaded.policy_names())
    documents = {
        "operations.json": operations.template(roles, policies),
        "sam-names.json": operations.sam_names(config["lambda_functions"]),
    }
    return {Path("deploy") / name: _written(each) for name, each in documents.items()}


def _released(
    config: Mapping[str, Any], loaded: Templates, files: Mapping[Path, str], boundary: Any
) -> Any:
    stages = {}
    for name in config["stages"]:
        policies = {
            function: json.loads(files[_policy_file(config, name, function)])
            for function in FUNCTIONS
        }
        schedule = _variables(config, name).get("TRIVET_DRIFT_SCHEDULE", "rate(1 hour)")
        table = _stage(config, name).table
        stages[name] = {"table": table, "schedule": schedule, "policies": policies}
    roles, policies_of_one = len(loaded.role_names()), len(list(loaded.policy_names()))
    managed = loaded.aws_managed_policies()
    return released.document(stages, boundary, managed, roles, policies_of_one)


def _written(document: Any) -> str:
    return json.dumps(document, indent=2) + "\n"


def _variables(config: Mapping[str, Any], stage: str) -> dict[str, str]:
    own = config["stages"][stage].get("environment_variables", {})
    variables: dict[str, str] = {**config.get("environment_variables", {}), **own}
    return variables


def _stage(config: Mapping[str, Any], name: str) -> Stage:
    variables = _variables(config, name)
    return Stage(
        app=f"{config['app_name']}-{name}",
        table=variables.get("TRIVET_TABLE") or f"trivet-{variables.get('TRIVET_STAGE', 'dev')}",
        permissions_boundary=variables.get("TRIVET_PERMISSIONS_BOUNDARY") or None,
    )


def _policy_file(config: Mapping[str, Any], stage: str, function: str) -> Path:
    functions = config["stages"][stage].get("lambda_functions", {})
    name: str | None = functions.get(function, {}).get("iam_policy_file")
    if name is None:
        raise TemplateError(
            f".chalice/config.json: stage {stage}: lambda_functions.{function} has no "
            f'iam_policy_file; give it one, such as "policy-{stage}-{function}.json"'
        )
    return Path(".chalice") / name


def _retired(file: Path) -> Mapping[str, Sequence[str]]:
    """Return the names that the templates had once, if any are kept."""
    retired: Mapping[str, Sequence[str]] = json.loads(file.read_text()) if file.exists() else {}
    return retired


def _checked(path: Path, policy: Any, limit: int) -> str:
    size = len(json.dumps(policy, separators=(",", ":")))
    if size > limit:
        raise TemplateError(f"{path} would have {size} characters; IAM allows {limit}")
    return _written(policy)


def _main() -> int:
    try:
        files = generated(REPOSITORY)
    except TemplateError as error:
        print(f"make policies: {error}", file=sys.stderr)
        return 1
    for path, content in files.items():
        (REPOSITORY / path).parent.mkdir(parents=True, exist_ok=True)
        (REPOSITORY / path).write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
