"""The policy of each of Trivet's functions: at home, and in a member account.

Names come from the templates, so that another role or managed policy under `policies/` needs no
change here. There are no policy variables: Terraform would read `${...}` as its own.

What may change in a role follows an order: Trivet's tag first, the boundary second, all else last.
IAM cannot tell a role that lost its tag from one that never had it, since whoever may create roles
with tags may tag roles of those names. So a tag opens nothing but the putting on of the boundary,
and only the boundary opens the rest: whatever Trivet changes is bounded before.
"""

from collections.abc import Iterator, Sequence

from chalicelib.settings import Function
from tools.permissions import actions
from tools.permissions.names import DEFAULT_BOUNDARY, MEMBER_ROLE, OWN_TAGS, Names, Stage
from tools.permissions.statements import (
    GETS_OUR_TAG,
    IS_OURS,
    Condition,
    Policy,
    Statement,
    allow,
    arn,
    deny,
    iam,
    policy,
)

FUNCTIONS: tuple[Function, ...] = ("api_handler", "drift_run", "fleet_step", "iam_change")

STARTS_FLEET: tuple[Function, ...] = ("api_handler", "drift_run")


def function_policy(function: Function, stage: Stage, names: Names) -> Policy:
    """Return what a function may do in a stage.

    The API answers every route, so it may do all that Trivet ever does. The drift run repairs, but
    removes nothing, and a step of the fleet does the same for one account. The handler of IAM's
    change events repairs one environment, without bulk listings, and without waiting for the smoke
    test that it starts.
    """
    return policy([*_at_home(function, stage), *in_target(function, stage, names)])


def in_target(function: Function, stage: Stage, names: Names) -> list[Statement]:
    """Return what a function may do in the account that roles are made in, home or member."""
    deletes = function == "api_handler"
    sees_fleet = function != "iam_change"
    return [
        *_reading(stage, names, deletes, sees_fleet),
        *_creating(stage, names),
        *_changing(stage, names, deletes),
        *(_deleting(names) if deletes else ()),
        *_smoke_testing(stage, names, deletes, sees_fleet),
    ]


def session_policy(function: Function, stages: Sequence[Stage], names: Names) -> Policy:
    """Return the session policy that leaves a function in a member account what it has at home.

    A session can do what its role, `TrivetMember`, may do *and* the session policy allows. The role
    has the names, tags and boundaries in its conditions; the session takes from it the actions that
    the function lacks at home, and the retired names where the function cannot remove them.
    """
    granted = {
        action
        for stage in stages
        for statement in in_target(function, stage, names)
        for action in statement["Action"]
    }
    statements = [allow("WhatItMayAtHome", sorted(granted), ["*"])]
    retired = [*_roles(names.retired_roles), *_policies(names.retired_policies)]
    if retired and function != "api_handler":
        statements.append(deny("NothingRetired", ["*"], retired))
    return policy(statements)


def role_patterns(prefix: str) -> list[str]:
    """Return the names of the functions' roles, as `chalice deploy` and CloudFormation make them.

    Neither can be the name of a provisioned role: an environment's name has neither `_` nor
    capitals.

    Args:
        prefix: app and stage, such as `trivet-dev`, or a pattern or placeholder of them.
    """
    by_chalice = [f"{prefix}-{function}" for function in FUNCTIONS]
    by_stack = [f"{prefix}-{function.title().replace('_', '')}Role-*" for function in FUNCTIONS]
    return by_chalice + by_stack


def _at_home(function: Function, stage: Stage) -> Iterator[Statement]:
    group = arn("logs", f"log-group:/aws/lambda/{stage.prefix}")
    yield allow(
        "WriteLogs",
        actions.WRITE_LOGS,
        # `chalice deploy` names a function trivet-dev or trivet-dev-drift_run, CloudFormation
        # trivet-dev-DriftRun-1A2B3C, where the stack is called trivet-dev.
        [group, f"{group}:*", f"{group}-*"],
    )
    yield allow("TraceWithXRay", actions.TRACE, ["*"])
    table = [arn("dynamodb", f"table/{stage.table}")]
    # The handler of IAM's events keeps one record, and lists nothing.
    used = actions.USE_RECORD if function == "iam_change" else actions.USE_TABLE
    yield allow("KeepDeclaredState", used, table)
    yield allow(
        "TellEventBridgeAsTrivet",
        actions.PUT_EVENTS,
        [arn("events", "event-bus/default")],
        {"ForAllValues:StringEquals": {"events:source": "trivet"}},
    )
    yield allow("ActInMemberAccounts", actions.ASSUME_ROLE, [iam(f"role/{MEMBER_ROLE}")])
    if function in STARTS_FLEET:
        yield allow("LookAfterTheTable", actions.LOOK_AFTER_TABLE, table)
        yield allow(
            "StartTheFleet",
            actions.START_EXECUTION,
            [arn("states", f"stateMachine:{stage.fleet}")],
        )
        yield allow(
            "SeeWhetherTheFleetsRunEnded",
            actions.SEE_EXECUTION,
            [arn("states", f"execution:{stage.fleet}:*")],
        )


def _reading(stage: Stage, names: Names, deletes: bool, sees_fleet: bool) -> Iterator[Statement]:
    if sees_fleet:
        yield allow("ListRolesAndPolicies", actions.LIST_EVERYTHING, ["*"])
    yield allow(
        "ReadRoles",
        [
            *actions.READ_ROLE,
            *(actions.SEE_WHO_USES_ROLE if deletes else ()),
            *(actions.SIMULATE_ROLE if sees_fleet else ()),
        ],
        _own_roles(names, deletes),
    )
    yield allow(
        "ReadPolicies",
        [*actions.READ_POLICY, *(actions.SEE_WHO_USES_POLICY if deletes else ())],
        _own_policies(names, deletes),
    )
    # Callers may name any policy as a boundary, where the stage demands none.
    others = _aws_managed(names) if stage.boundary else [iam("policy/*")]
    yield allow("SeeWhetherPoliciesExist", ["iam:GetPolicy"], others)
    if stage.boundary:
        yield allow(
            "ReadTheBoundary", ["iam:GetPolicy", "iam:GetPolicyVersion"], [_boundary(stage)]
        )


def _creating(stage: Stage, names: Names) -> Iterator[Statement]:
    keys = _tag_keys(stage)
    yield allow(
        "CreateRolesWithTag",
        actions.CREATE_ROLE,
        _roles(names.roles),
        *(GETS_OUR_TAG, _bounded(stage), keys),
    )
    yield allow(
        "CreatePoliciesWithTag",
        actions.CREATE_POLICY,
        _policies(names.policies),
        *(GETS_OUR_TAG, keys),
    )
    if stage.boundary == DEFAULT_BOUNDARY:
        # The name is none of those that may be changed or deleted below.
        yield allow("CreateTheMissingBoundary", actions.CREATE_POLICY, [_boundary(stage)])


def _changing(stage: Stage, names: Names, deletes: bool) -> Iterator[Statement]:
    roles, policies = _own_roles(names, deletes), _own_policies(names, deletes)
    keys = _tag_keys(stage)
    yield allow("GiveOwnTag", actions.TAG, [*roles, *policies], GETS_OUR_TAG, keys)
    yield allow("TagTagged", actions.TAG, [*roles, *policies], IS_OURS, keys)
    yield allow(
        "ChangeTagged", [*actions.CHANGE_POLICY, *actions.UNTAG], [*roles, *policies], IS_OURS
    )
    yield allow("BoundTaggedRoles", actions.PUT_BOUNDARY, roles, IS_OURS, _bounded(stage))
    if not stage.boundary:
        yield allow("UnboundTaggedRoles", actions.TAKE_BOUNDARY_OFF, roles, IS_OURS)
    yield allow("ChangeBoundRoles", actions.CHANGE_ROLE, roles, IS_OURS, _bounded(stage))
    yield allow(
        "AttachPoliciesOfTheTemplates",
        actions.ATTACH,
        _roles(names.roles),
        IS_OURS,
        {"ArnLike": {"iam:PolicyARN": [*_aws_managed(names), *_policies(names.policies)]}},
        _bounded(stage),
    )


def _deleting(names: Names) -> Iterator[Statement]:
    own = [*_own_roles(names, True), *_own_policies(names, True)]
    yield allow("DeleteTagged", actions.DELETE, own, IS_OURS)


def _smoke_testing(stage: Stage, names: Names, deletes: bool, waits: bool) -> Iterator[Statement]:
    machines = [arn("states", f"stateMachine:{_pattern(name)}") for name in names.state_machines]
    yield allow(
        "PassWorkflowRoleToStepFunctions",
        actions.PASS_ROLE,
        _roles(names.state_machine_roles),
        {"StringEquals": {"iam:PassedToService": "states.amazonaws.com"}},
    )
    yield allow(
        "CreateSmokeTestsWithTag",
        actions.CREATE_MACHINE,
        machines,
        *(GETS_OUR_TAG, _tag_keys(stage)),
    )
    yield allow("ReadSmokeTests", actions.READ_MACHINE, machines)
    yield allow(
        "RunTaggedSmokeTests",
        [*actions.RUN_MACHINE, *(actions.DELETE_MACHINE if deletes else ())],
        machines,
        IS_OURS,
    )
    if waits:
        yield allow(
            "ReadSmokeTestResults",
            actions.READ_EXECUTION,
            [arn("states", f"execution:{_pattern(name)}:*") for name in names.state_machines],
        )


def _bounded(stage: Stage) -> Condition:
    """The role has the boundary that the stage demands, or gets it by this request."""
    if not stage.boundary:
        return {}
    return {"ArnLike": {"iam:PermissionsBoundary": _boundary(stage)}}


def _tag_keys(stage: Stage) -> Condition:
    if "*" in stage.tag_keys:
        return {}
    return {"ForAllValues:StringLike": {"aws:TagKeys": [*OWN_TAGS, *stage.tag_keys]}}


def _boundary(stage: Stage) -> str:
    named = stage.boundary or ""
    return named if named.startswith("arn:") else iam(f"policy/{named}")


def _own_roles(names: Names, retired: bool) -> list[str]:
    return _roles([*names.roles, *(names.retired_roles if retired else ())])


def _own_policies(names: Names, retired: bool) -> list[str]:
    return _policies([*names.policies, *(names.retired_policies if retired else ())])


def _roles(templates: Sequence[str]) -> list[str]:
    return [iam(f"role/{_pattern(name)}") for name in templates]


def _policies(templates: Sequence[str]) -> list[str]:
    return [iam(f"policy/{_pattern(name)}") for name in templates]


def _aws_managed(names: Names) -> list[str]:
    return [f"arn:*:iam::aws:policy/{name}" for name in names.aws_managed_policies]


def _pattern(name: str) -> str:
    return name.replace("${environment}", "*")
