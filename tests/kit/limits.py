"""What AWS refuses and moto accepts: texts that break a pattern, and more than a quota allows.

Patterns and lengths: `models.py`. Quotas:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

import json
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from botocore.awsrequest import AWSResponse

from . import models
from .account import client
from .wire import Call, Deliver

_MANAGED_RULES = {
    "sagemaker:createProcessingJob.sync": "StepFunctionsGetEventsForSageMakerProcessingJobsRule",
    "sagemaker:createTrainingJob.sync": "StepFunctionsGetEventsForSageMakerTrainingJobsRule",
    "sagemaker:createTransformJob.sync": "StepFunctionsGetEventsForSageMakerTransformJobsRule",
}
"""The rule of EventBridge's by which Step Functions hears of the end of each kind of job."""


def limits(call: Call, deliver: Deliver) -> AWSResponse:
    """Refuse what AWS would refuse; a layer of the wire."""
    for broken in models.broken(call):
        code = "ValidationError" if call.service in ("IAM", "STS") else "ValidationException"
        return call.refused(code, f"1 validation error detected: {broken}")
    for rule in _RULES.get(call.action, ()):
        refused = rule(call)
        if refused:
            return call.refused(*refused)
    return deliver()


Refusal = tuple[str, str]
"""Code and message."""


def _name_taken(call: Call) -> Refusal | None:
    """IAM's names are unique without regard to case."""
    kind = "Role" if call.action == "CreateRole" else "Policy"
    name = call.parameters[f"{kind}Name"]
    listed = (
        client("iam", call.account).list_roles(MaxItems=1000)["Roles"]
        if kind == "Role"
        else client("iam", call.account).list_policies(Scope="Local", MaxItems=1000)["Policies"]
    )
    if any(each[f"{kind}Name"].lower() == name.lower() for each in listed):
        return "EntityAlreadyExists", f"{kind} with name {name} already exists."
    return None


def _too_many_attached(call: Call) -> Refusal | None:
    role, arn = call.parameters["RoleName"], call.parameters["PolicyArn"]
    found = client("iam", call.account).get_account_authorization_details(Filter=["Role"])
    [attached] = [
        [each["PolicyArn"] for each in one["AttachedManagedPolicies"]]
        for one in found["RoleDetailList"]
        if one["RoleName"] == role
    ] or [[]]
    if len(attached) >= 10 and arn not in attached:
        return "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10"
    return None


def _too_many_tags(call: Call) -> Refusal | None:
    iam = client("iam", call.account)
    roles = iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
    tags = {
        tag["Key"]
        for role in roles
        if role["RoleName"] == call.parameters["RoleName"]
        for tag in role.get("Tags", [])
    }
    if len(tags | {tag["Key"] for tag in call.parameters["Tags"]}) > 50:
        return "LimitExceeded", "Cannot exceed quota for TagsPerRole: 50"
    return None


def _too_large(call: Call) -> Refusal | None:
    """White space does not count."""
    name, quota, longest = {
        "CreateRole": ("AssumeRolePolicyDocument", "ACLSizePerRole", 2048),
        "UpdateAssumeRolePolicy": ("PolicyDocument", "ACLSizePerRole", 2048),
        "CreatePolicy": ("PolicyDocument", "PolicySize", 6144),
        "CreatePolicyVersion": ("PolicyDocument", "PolicySize", 6144),
    }[call.action]
    if _size(call.parameters[name]) > longest:
        return "LimitExceeded", f"Cannot exceed quota for {quota}: {longest}"
    return None


def _inline_too_large(call: Call) -> Refusal | None:
    iam, role = client("iam", call.account), call.parameters["RoleName"]
    roles = iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
    others = [
        _size(json.dumps(each["PolicyDocument"]))
        for found in roles
        if found["RoleName"] == role
        for each in found["RolePolicyList"]
        if each["PolicyName"] != call.parameters["PolicyName"]
    ]
    if sum(others) + _size(call.parameters["PolicyDocument"]) > 10_240:
        return "LimitExceeded", f"Maximum policy size of 10240 bytes exceeded for role {role}"
    return None


def _size(document: str) -> int:
    return len(re.sub(r"\s", "", document))


def _malformed(call: Call) -> Refusal | None:
    """A Sid is alphanumeric and told once; an ARN is of the account's partition."""
    key = "AssumeRolePolicyDocument" if call.action == "CreateRole" else "PolicyDocument"
    statements = json.loads(call.parameters[key]).get("Statement", [])
    statements = [statements] if isinstance(statements, dict) else statements
    sids = [each["Sid"] for each in statements if "Sid" in each]
    if not all(re.fullmatch("[0-9A-Za-z]*", sid) for sid in sids):
        return "MalformedPolicyDocument", "Statement IDs (SID) must be alpha-numeric."
    if len(set(sids)) < len(sids):
        return "MalformedPolicyDocument", "Statement IDs (SID) in a single policy must be unique."
    for arn in (arn for each in statements for arn in _strings(each.get("Resource", []))):
        own = "aws-cn" if call.region.startswith("cn-") else "aws"
        partition = arn.split(":")[1] if arn.startswith("arn:") else own
        if partition not in (own, "*"):
            message = f'Partition "{partition}" is not valid for resource "{arn}".'
            return "MalformedPolicyDocument", message
    return None


def _still_in_use(call: Call) -> Refusal | None:
    iam, arn = client("iam", call.account), call.parameters["PolicyArn"]
    found = iam.get_account_authorization_details(Filter=["LocalManagedPolicy"])["Policies"]
    [versions] = [each["PolicyVersionList"] for each in found if each["Arn"] == arn] or [[]]
    if len(versions) > 1:
        message = "This policy has more than one version. Before you delete a policy, you must "
        return "DeleteConflict", f"{message}delete the policy's versions."
    entities = iam.list_entities_for_policy(PolicyArn=arn) if versions else {}
    if any(entities.get(kind) for kind in ("PolicyRoles", "PolicyUsers", "PolicyGroups")):
        return "DeleteConflict", "Cannot delete a policy attached to entities."
    return None


def _no_such_state(call: Call) -> Refusal | None:
    definition = json.loads(call.parameters.get("definition", "{}"))
    states = definition.get("States", {})
    targets = [definition["StartAt"]] if states else []
    for state in states.values():
        steps = [state, *state.get("Choices", []), *state.get("Catch", [])]
        targets += [step[key] for step in steps for key in ("Next", "Default") if key in step]
    missing = [target for target in targets if target not in states]
    if missing:
        message = f"SCHEMA_VALIDATION_FAILED: MISSING_TRANSITION_TARGET: {missing[0]}"
        return "InvalidDefinition", f"Invalid State Machine Definition: '{message}'"
    return None


def _no_managed_rule(call: Call) -> Refusal | None:
    """Whoever defines a `.sync` step needs a role that may manage the rule behind it."""
    arn, definition = call.parameters.get("roleArn"), call.parameters.get("definition", "")
    if arn is None:
        return None
    partition = arn.split(":")[1]
    for step, rule in _MANAGED_RULES.items():
        resource = f"arn:{partition}:events:{call.region}:{call.account}:rule/{rule}"
        asked = [f"events:{each}" for each in ("PutTargets", "PutRule", "DescribeRule")]
        if step in definition and not all(_allowed(call, arn, each, resource) for each in asked):
            return "AccessDeniedException", f"'{arn}' is not authorized to create managed-rule."
    return None


def _allowed(call: Call, arn: str, action: str, resource: str) -> bool:
    """Tell whether a policy of a role allows an action on a resource, conditions aside."""
    iam = client("iam", call.account)
    found = iam.get_account_authorization_details(Filter=["Role", "LocalManagedPolicy"])
    own = {
        each["Arn"]: version["Document"]
        for each in found["Policies"]
        for version in each["PolicyVersionList"]
        if version["IsDefaultVersion"]
    }
    documents = [
        document
        for role in found["RoleDetailList"]
        if role["Arn"] == arn
        for document in (
            *(each["PolicyDocument"] for each in role["RolePolicyList"]),
            *(own.get(each["PolicyArn"], {}) for each in role["AttachedManagedPolicies"]),
        )
    ]
    return any(
        statement["Effect"] == "Allow"
        and any(fnmatchcase(action, each) for each in _strings(statement.get("Action", [])))
        and any(fnmatchcase(resource, each) for each in _strings(statement.get("Resource", [])))
        for document in documents
        for statement in document.get("Statement", [])
    )


def _strings(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


_RULES: Mapping[str, tuple[Callable[[Call], Refusal | None], ...]] = {
    "AttachRolePolicy": (_too_many_attached,),
    "CreatePolicy": (_name_taken, _too_large, _malformed),
    "CreatePolicyVersion": (_too_large, _malformed),
    "CreateRole": (_name_taken, _too_large, _malformed),
    "CreateStateMachine": (_no_such_state, _no_managed_rule),
    "DeletePolicy": (_still_in_use,),
    "PutRolePolicy": (_inline_too_large, _malformed),
    "TagRole": (_too_many_tags,),
    "UpdateAssumeRolePolicy": (_too_large, _malformed),
    "UpdateStateMachine": (_no_such_state, _no_managed_rule),
}
