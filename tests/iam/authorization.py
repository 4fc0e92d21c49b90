"""What AWS asks IAM before it carries out an API call.

Most calls ask one question: may the caller do the action of the same name to the resource that the
parameters name? Some ask more (tags at creation, a role that is passed on), some ask about several
resources (a DynamoDB batch), and `sts:GetCallerIdentity` asks nothing.

Actions, resource types and condition keys are those of the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/), whose data the simulator
holds the requests made here against. What it does not say is taken from the services' user guides:

- Tags given at creation also need `iam:TagRole`, `iam:TagPolicy`, `states:TagResource` or
  `dynamodb:TagResource` on the new resource, which has no tags of its own at that time.
- `iam:PermissionsBoundary` is the boundary asked for in CreateRole and PutRolePermissionsBoundary,
  and the one the role or user already has in every other action.
- `iam:ResourceTag` and `aws:ResourceTag` are the same for roles and users; policies and instance
  profiles know `aws:ResourceTag` only.
- Resource tags in `iam:PassRole` are unreliable by IAM's user guide. They are left out, so that an
  Allow that rests on them is seen to fail. The same holds for DynamoDB tables and event buses,
  where tags decide only in accounts that have opted in, and for executions, which have none.
- A transaction is authorized as the single operations in it.
- Encryption with the AWS managed key `aws/dynamodb` asks nothing of the caller: the key's own
  policy allows whoever in the account may use DynamoDB.

Operations, and parameters with permissions of their own (a KMS key, a log group), that this module
does not know are refused with `UnknownCallError`: a question left out would pass for an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

ContextValue = str | tuple[str, ...]

CONDITION_KEYS = frozenset(
    {
        "application-autoscaling:service-namespace",
        "aws:PrincipalAccount",
        "aws:PrincipalArn",
        "aws:PrincipalOrgID",
        "aws:PrincipalTag/*",
        "aws:RequestTag/*",
        "aws:RequestedRegion",
        "aws:ResourceAccount",
        "aws:ResourceTag/*",
        "aws:TagKeys",
        "aws:userid",
        "cloudwatch:namespace",
        "ecs:cluster",
        "events:detail-type",
        "events:source",
        "iam:AssociatedResourceArn",
        "iam:PassedToService",
        "iam:PermissionsBoundary",
        "iam:PolicyARN",
        "iam:ResourceTag/*",
        "kms:GrantIsForAWSResource",
        "lambda:SourceFunctionArn",
        "redshift-data:statement-owner-iam-userid",
        "sts:ExternalId",
    }
)
"""The condition keys that requests carry; `/*` stands for a tag's key.

This module fills in those of the calls that Trivet makes. What provisioned roles, members' callers
and strangers ask is made by hand, with the keys of its own.
"""


class UnknownCallError(Exception):
    """An API call whose permissions this module does not know."""


@dataclass(frozen=True)
class Entity:
    """What IAM or Step Functions hold about a resource that a call names."""

    arn: str
    tags: Mapping[str, str] = field(default_factory=dict)
    boundary: str | None = None


class State(Protocol):
    """The resources of the account at the time of a call; None for one that does not exist."""

    def role(self, name: str) -> Entity | None: ...

    def user(self, name: str) -> Entity | None: ...

    def group(self, name: str) -> Entity | None: ...

    def instance_profile(self, name: str) -> Entity | None: ...

    def policy(self, arn: str) -> Entity | None: ...

    def state_machine(self, arn: str) -> Entity | None: ...


@dataclass(frozen=True)
class Call:
    """One AWS API call.

    `service` is the SDK's name of it ("iam", "stepfunctions"), `operation` the API's
    ("CreateRole"), `parameters` what the SDK's method was given.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]
    partition: str
    region: str
    account: str

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"

    def arn(self, service: str, resource: str) -> str:
        region = "" if service == "iam" else self.region
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"


@dataclass(frozen=True)
class AuthorizationRequest:
    """One question to IAM: may the principal do the action to the resource, in this context?"""

    action: str
    resource: str
    principal: str
    context: Mapping[str, ContextValue] = field(default_factory=dict)


def requests_of(call: Call, state: State) -> tuple[AuthorizationRequest, ...]:
    """The authorization requests that AWS evaluates for a call.

    Raises:
        UnknownCallError: the operation, or a parameter of it, is not known here.
    """
    match call.service:
        case "iam":
            return _iam(call, state)
        case "stepfunctions":
            return _states(call, state)
        case "dynamodb":
            return _dynamodb(call)
        case "events":
            return _events(call)
        case "sts":
            return _sts(call)
    raise UnknownCallError(f"{call.name}: its authorization is not known")


# IAM ----------------------------------------------------------------------------------------------

_BOUNDARY = "PermissionsBoundary"
_IDENTITY_TAGS = ("aws:ResourceTag", "iam:ResourceTag")

_ON_EVERYTHING = frozenset({"GetAccountAuthorizationDetails", "ListPolicies", "ListRoles"})

_ON_ROLE = frozenset(
    {
        "GetRolePolicy",
        "ListAttachedRolePolicies",
        "ListInstanceProfilesForRole",
        "ListRolePolicies",
        "ListRoleTags",
        "PutRolePermissionsBoundary",
        "TagRole",
        "UntagRole",
    }
)

_ON_ROLE_WITH_ITS_BOUNDARY = frozenset(
    {
        "AttachRolePolicy",
        "DeleteRole",
        "DeleteRolePermissionsBoundary",
        "DeleteRolePolicy",
        "DetachRolePolicy",
        "GetRole",
        "PutRolePolicy",
        "UpdateAssumeRolePolicy",
        "UpdateRole",
    }
)

_ON_POLICY = frozenset(
    {
        "CreatePolicyVersion",
        "DeletePolicy",
        "DeletePolicyVersion",
        "GetPolicy",
        "GetPolicyVersion",
        "ListEntitiesForPolicy",
        "ListPolicyTags",
        "ListPolicyVersions",
        "SetDefaultPolicyVersion",
        "TagPolicy",
        "UntagPolicy",
    }
)


def _iam(call: Call, state: State) -> tuple[AuthorizationRequest, ...]:
    match call.operation:
        case "CreateRole" | "CreatePolicy":
            return _iam_creation(call)
        case operation if operation in _ON_EVERYTHING:
            return (_request(call, "*"),)
        case operation if operation in _ON_ROLE | _ON_ROLE_WITH_ITS_BOUNDARY:
            return (_on_role(call, state),)
        case operation if operation in _ON_POLICY:
            arn: str = call.parameters["PolicyArn"]
            context = _iam_tags(call) | _resource_tags(state.policy(arn) or Entity(arn))
            return (_request(call, arn, context),)
        case "DetachGroupPolicy" | "DetachUserPolicy" | "RemoveRoleFromInstanceProfile":
            return (_detachment(call, state),)
        case "SimulatePrincipalPolicy":
            return (_simulation(call, state),)
    raise UnknownCallError(f"{call.name}: its authorization is not known")


def _iam_creation(call: Call) -> tuple[AuthorizationRequest, ...]:
    parameters = call.parameters
    kind = call.operation.removeprefix("Create")
    path, name = parameters.get("Path", "/"), parameters[f"{kind}Name"]
    return _creation(
        call,
        f"iam:Create{kind}",
        call.arn("iam", f"{kind.lower()}{path}{name}"),
        _iam_tags(call) | _if_given("iam:PermissionsBoundary", parameters.get(_BOUNDARY)),
        f"iam:Tag{kind}",
    )


def _on_role(call: Call, state: State) -> AuthorizationRequest:
    role = _role(call, state, call.parameters["RoleName"])
    of_role = call.operation in _ON_ROLE_WITH_ITS_BOUNDARY
    boundary = role.boundary if of_role else call.parameters.get(_BOUNDARY)
    return _request(
        call,
        role.arn,
        _iam_tags(call)
        | _resource_tags(role, *_IDENTITY_TAGS)
        | _if_given("iam:PermissionsBoundary", boundary)
        | _if_given("iam:PolicyARN", call.parameters.get("PolicyArn")),
    )


def _detachment(call: Call, state: State) -> AuthorizationRequest:
    """Detachment of a policy, or a role, from what is not ours."""
    parameters = call.parameters
    policy = _if_given("iam:PolicyARN", parameters.get("PolicyArn"))
    match call.operation:
        case "DetachUserPolicy":
            user = _user(call, state, parameters["UserName"])
            boundary = _if_given("iam:PermissionsBoundary", user.boundary)
            tags = _resource_tags(user, *_IDENTITY_TAGS)
            return _request(call, user.arn, policy | boundary | tags)
        case "DetachGroupPolicy":
            name = parameters["GroupName"]
            group = state.group(name) or Entity(call.arn("iam", f"group/{name}"))
            return _request(call, group.arn, policy)
        case _:
            name = parameters["InstanceProfileName"]
            absent = Entity(call.arn("iam", f"instance-profile/{name}"))
            profile = state.instance_profile(name) or absent
            return _request(call, profile.arn, _resource_tags(profile))


def _iam_tags(call: Call) -> dict[str, ContextValue]:
    return _tags_in_request(call.parameters.get("Tags", ()), call.parameters.get("TagKeys", ()))


def _simulation(call: Call, state: State) -> AuthorizationRequest:
    source: str = call.parameters["PolicySourceArn"]
    kind, _, path = source.split(":", 5)[5].partition("/")
    name = path.rpartition("/")[2]
    match kind:
        case "role":
            entity = _role(call, state, name)
        case "user":
            entity = _user(call, state, name)
        case _:
            return _request(call, source)
    return _request(call, source, _resource_tags(entity, *_IDENTITY_TAGS))


def _role(call: Call, state: State, name: str) -> Entity:
    return state.role(name) or Entity(call.arn("iam", f"role/{name}"))


def _user(call: Call, state: State, name: str) -> Entity:
    return state.user(name) or Entity(call.arn("iam", f"user/{name}"))


# Step Functions -----------------------------------------------------------------------------------

_ON_STATE_MACHINE = {
    "DeleteStateMachine": "stateMachineArn",
    "DescribeStateMachine": "stateMachineArn",
    "ListExecutions": "stateMachineArn",
    "ListTagsForResource": "resourceArn",
    "StartExecution": "stateMachineArn",
    "TagResource": "resourceArn",
    "UntagResource": "resourceArn",
    "UpdateStateMachine": "stateMachineArn",
}

_ON_EXECUTION = frozenset(
    {
        "DescribeExecution",
        "DescribeStateMachineForExecution",
        "GetExecutionHistory",
        "StopExecution",
    }
)

_NEEDING_MORE_ON_STATE_MACHINES = ("encryptionConfiguration", "loggingConfiguration", "publish")


def _states(call: Call, state: State) -> tuple[AuthorizationRequest, ...]:
    _refuse(call, *_NEEDING_MORE_ON_STATE_MACHINES)
    parameters = call.parameters
    context: dict[str, ContextValue] = _tags_in_request(
        parameters.get("tags", ()), parameters.get("tagKeys", ()), key="key", value="value"
    )
    match call.operation:
        case "CreateStateMachine":
            arn = call.arn("states", f"stateMachine:{parameters['name']}")
            return (
                *_creation(call, "states:CreateStateMachine", arn, context, "states:TagResource"),
                _pass_role(call, arn),
            )
        case operation if operation in _ON_STATE_MACHINE:
            arn = parameters[_ON_STATE_MACHINE[operation]]
            machine = state.state_machine(arn) or Entity(arn)
            request = _request(call, arn, context | _resource_tags(machine), prefix="states")
            if operation == "UpdateStateMachine" and "roleArn" in parameters:
                return (request, _pass_role(call, arn))
            return (request,)
        case operation if operation in _ON_EXECUTION:
            return (_request(call, parameters["executionArn"], prefix="states"),)
        case "ListStateMachines":
            return (_request(call, "*", prefix="states"),)
    raise UnknownCallError(f"{call.name}: its authorization is not known")


def _pass_role(call: Call, receiver: str) -> AuthorizationRequest:
    context: dict[str, ContextValue] = {
        "iam:AssociatedResourceArn": receiver,
        "iam:PassedToService": "states.amazonaws.com",
    }
    return _request(call, call.parameters["roleArn"], context, action="iam:PassRole")


# DynamoDB -----------------------------------------------------------------------------------------

_ON_TABLE = frozenset(
    {
        "DeleteItem",
        "DescribeContinuousBackups",
        "DescribeTable",
        "DescribeTimeToLive",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "UpdateContinuousBackups",
        "UpdateItem",
        "UpdateTable",
        "UpdateTimeToLive",
    }
)

_IN_TRANSACTION = {
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Delete": "dynamodb:DeleteItem",
    "Get": "dynamodb:GetItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
}


def _dynamodb(call: Call) -> tuple[AuthorizationRequest, ...]:
    _refuse(call, "ResourcePolicy")
    parameters = call.parameters
    if parameters.get("SSESpecification", {"Enabled": True}) != {"Enabled": True}:
        raise UnknownCallError(
            f"{call.name}: the authorization of this SSESpecification is unknown"
        )
    tags = _tags_in_request(parameters.get("Tags", ()))
    match call.operation:
        case "CreateTable":
            table = _table(call, parameters["TableName"])
            return _creation(call, "dynamodb:CreateTable", table, tags, "dynamodb:TagResource")
        case operation if operation in _ON_TABLE:
            table = _table(call, parameters["TableName"])
            index = parameters.get("IndexName")
            return (_request(call, f"{table}/index/{index}" if index else table),)
        case "BatchGetItem" | "BatchWriteItem":
            return tuple(_request(call, _table(call, name)) for name in parameters["RequestItems"])
        case "TransactGetItems" | "TransactWriteItems":
            return tuple(
                _request(call, _table(call, item["TableName"]), action=_IN_TRANSACTION[kind])
                for step in parameters["TransactItems"]
                for kind, item in step.items()
            )
        case "ListTagsOfResource" | "TagResource":
            return (_request(call, parameters["ResourceArn"], tags),)
    raise UnknownCallError(f"{call.name}: its authorization is not known")


def _table(call: Call, name: str) -> str:
    return name if name.startswith("arn:") else call.arn("dynamodb", f"table/{name}")


# STS ----------------------------------------------------------------------------------------------


def _sts(call: Call) -> tuple[AuthorizationRequest, ...]:
    match call.operation:
        case "GetCallerIdentity":
            return ()
        case "AssumeRole":
            _refuse(call, "SourceIdentity", "Tags", "TransitiveTagKeys")
            parameters = call.parameters
            external_id = _if_given("sts:ExternalId", parameters.get("ExternalId"))
            return (_request(call, parameters["RoleArn"], external_id),)
    raise UnknownCallError(f"{call.name}: its authorization is not known")


# EventBridge --------------------------------------------------------------------------------------


def _events(call: Call) -> tuple[AuthorizationRequest, ...]:
    if call.operation != "PutEvents":
        raise UnknownCallError(f"{call.name}: its authorization is not known")
    _refuse(call, "EndpointId")
    by_bus: dict[str, list[Mapping[str, Any]]] = {}
    for entry in call.parameters["Entries"]:
        bus: str = entry.get("EventBusName", "default")
        arn = bus if bus.startswith("arn:") else call.arn("events", f"event-bus/{bus}")
        by_bus.setdefault(arn, []).append(entry)
    return tuple(
        _request(
            call,
            arn,
            _if_any("events:source", (entry.get("Source") for entry in entries))
            | _if_any("events:detail-type", (entry.get("DetailType") for entry in entries)),
        )
        for arn, entries in by_bus.items()
    )


# Common to all ------------------------------------------------------------------------------------


def _request(
    call: Call,
    resource: str,
    context: Mapping[str, ContextValue] | None = None,
    *,
    prefix: str | None = None,
    action: str | None = None,
) -> AuthorizationRequest:
    """A request for the action named like the operation, or for another `action`."""
    always: dict[str, ContextValue] = {
        "aws:PrincipalAccount": call.account,
        "aws:RequestedRegion": call.region,
    }
    # For "*" and for AWS's own policies, which no account holds, the value is not documented.
    owner = resource.split(":")[4] if resource != "*" else ""
    if owner.isdigit():
        always["aws:ResourceAccount"] = owner
    return AuthorizationRequest(
        action=action or f"{prefix or call.service}:{call.operation}",
        resource=resource,
        principal=call.arn("iam", "role/caller"),
        context={**always, **(context or {})},
    )


def _creation(
    call: Call, action: str, arn: str, context: Mapping[str, ContextValue], tagging: str
) -> tuple[AuthorizationRequest, ...]:
    """Creation of a resource, and of its tags when there are any."""
    creation = _request(call, arn, context, action=action)
    tags = {key: value for key, value in context.items() if key.startswith("aws:")}
    if not tags:
        return (creation,)
    return (creation, _request(call, arn, tags, action=tagging))


def _tags_in_request(
    tags: Iterable[Mapping[str, str]],
    removed: Iterable[str] = (),
    *,
    key: str = "Key",
    value: str = "Value",
) -> dict[str, ContextValue]:
    given = {tag[key]: tag[value] for tag in tags}
    context: dict[str, ContextValue] = {f"aws:RequestTag/{k}": v for k, v in given.items()}
    return context | _if_any("aws:TagKeys", (*given, *removed))


def _resource_tags(entity: Entity, *keys: str) -> dict[str, ContextValue]:
    return {
        f"{key}/{tag}": value
        for key in keys or ("aws:ResourceTag",)
        for tag, value in entity.tags.items()
    }


def _if_given(key: str, value: str | None) -> dict[str, ContextValue]:
    return {key: value} if value else {}


def _if_any(key: str, values: Iterable[str | None]) -> dict[str, ContextValue]:
    present = tuple(sorted({value for value in values if value}))
    return {key: present} if present else {}


def _refuse(call: Call, *parameters: str) -> None:
    """Refuse parameters that need permissions which are not worked out here."""
    for parameter in parameters:
        if parameter in call.parameters:
            raise UnknownCallError(f"{call.name}: the authorization of {parameter} is not known")
