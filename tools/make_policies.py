"""`make policies`: writes what is derived from the templates and from `.chalice/config.json`.

- `.chalice/policy-<stage>-<function>.json`: what each of Trivet's own functions may do.
- `policies/session-policies.json`: what is left of it in a member account, by function; the
  functions read it.
- `policies/permissions-boundary.json`: the boundary of the roles that Trivet provisions.
- `deploy/member-account.json`: what a member account grants to Trivet, for CloudFormation.
- `deploy/service-control-policy.json`: keeps others' hands off what is Trivet's.
- `deploy/operations.json`: the stack of alarms, dashboard, queues and the fleet's state machine.
- `deploy/sam-names.json`: the functions' names for `chalice package`.
- `cli/trivet/doctor/packaged.json`: what `trivet doctor` holds a deployment against.
- `policies/files.txt`: the names of the files under `policies/`. Chalice takes a package from its
  cache when the contents of all files are equal; with their names among the contents, a file that
  is only renamed makes a new package.

All of it is checked in, and CI fails when it is stale.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import operations, released
from tools.child import REPOSITORY
from tools.permissions import names
from tools.permissions.boundary import permissions_boundary
from tools.permissions.functions import FUNCTIONS, function_policy, session_policy
from tools.permissions.guard import service_control_policy
from tools.permissions.member import member_account
from tools.permissions.names import Names, Stage, TemplateError
from tools.permissions.statements import minified

INLINE_POLICY_LIMIT = 10_240
MANAGED_POLICY_LIMIT = 6_144
SESSION_POLICY_LIMIT = 2_048
SERVICE_CONTROL_POLICY_LIMIT = 5_120
TEMPLATE_LIMIT = 51_200
"""Characters without white space: what a role takes inline, what the other kinds of policy hold,
and what CloudFormation takes as a template that is not in S3.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

_BOUNDARY = Path("policies") / "permissions-boundary.json"
_SESSIONS = Path("policies") / "session-policies.json"
_LIST_OF_FILES = Path("policies") / "files.txt"

Files = Iterator[tuple[Path, str]]


@dataclass(frozen=True, slots=True)
class Source:
    """What generated files follow from."""

    repository: Path
    config: Mapping[str, Any]
    """Chalice's."""
    stages: Sequence[Stage]
    names: Names


def generated(repository: Path) -> dict[Path, str]:
    """Return the generated files of a checkout: their contents by their paths in it.

    Raises:
        TemplateError: a template or a policy made from it cannot be right; names the file.
    """
    folder = repository / "policies"
    config = json.loads((repository / ".chalice" / "config.json").read_text())
    source = Source(
        repository,
        config,
        names.stages(config),
        Names.of(names.catalogue(folder), _retired(folder / "retired.json")),
    )
    return {path: content for generator in _GENERATORS for path, content in generator(source)}


def _function_policies(source: Source) -> Files:
    for stage in source.stages:
        for function in FUNCTIONS:
            path = _policy_file(source.config, stage.name, function)
            policy = function_policy(function, stage, source.names)
            yield path, _checked(path, policy, INLINE_POLICY_LIMIT)


def _session_policies(source: Source) -> Files:
    policies = {each: session_policy(each, source.stages, source.names) for each in FUNCTIONS}
    for function, policy in policies.items():
        _checked(Path(f"{_SESSIONS} ({function})"), policy, SESSION_POLICY_LIMIT)
    yield _SESSIONS, _written(policies)


def _permissions_boundary(source: Source) -> Files:
    boundary = permissions_boundary(source.names, source.stages)
    yield _BOUNDARY, _checked(_BOUNDARY, boundary, MANAGED_POLICY_LIMIT)


def _member_account(source: Source) -> Files:
    path = Path("deploy") / "member-account.json"
    template = member_account(source.stages, source.names)
    for resource in template["Resources"].values():
        for policy in resource["Properties"].get("Policies", []):
            _checked(path, policy["PolicyDocument"], INLINE_POLICY_LIMIT)
    yield path, _checked(path, template, TEMPLATE_LIMIT)


def _service_control_policy(source: Source) -> Files:
    path = Path("deploy") / "service-control-policy.json"
    policy = service_control_policy(source.stages)
    yield path, _checked(path, policy, SERVICE_CONTROL_POLICY_LIMIT)


def _operations(source: Source) -> Files:
    names_of = source.names
    stack = operations.template(list(names_of.roles), list(names_of.policies))
    yield Path("deploy") / "operations.json", _written(stack)
    functions = operations.sam_names(source.config["lambda_functions"])
    yield Path("deploy") / "sam-names.json", _written(functions)


def _released(source: Source) -> Files:
    stages = {
        stage.name: {
            "table": stage.table,
            "schedule": stage.schedule,
            "policies": {each: function_policy(each, stage, source.names) for each in FUNCTIONS},
        }
        for stage in source.stages
    }
    path = Path("cli") / "trivet" / "doctor" / "packaged.json"
    boundary = permissions_boundary(source.names, source.stages)
    standard = names.catalogue(source.repository / "policies").profile("standard")
    yield path, _written(released.document(stages, boundary, source.names, standard))


def _list_of_files(source: Source) -> Files:
    folder = source.repository / "policies"
    found = {file.relative_to(folder) for file in folder.rglob("*") if file.is_file()}
    listed = found | {Path(path.name) for path in (_BOUNDARY, _SESSIONS, _LIST_OF_FILES)}
    yield _LIST_OF_FILES, "".join(f"{file.as_posix()}\n" for file in sorted(listed))


_GENERATORS: tuple[Callable[[Source], Files], ...] = (
    _function_policies,
    _session_policies,
    _permissions_boundary,
    _member_account,
    _service_control_policy,
    _operations,
    _released,
    _list_of_files,
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


def _checked(path: Path, document: Any, limit: int) -> str:
    size = len(minified(document))
    if size > limit:
        raise TemplateError(f"{path} would have {size} characters; AWS allows {limit}")
    return _written(document)


def _written(document: Any) -> str:
    return json.dumps(document, indent=2) + "\n"


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
