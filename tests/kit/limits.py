"""What AWS refuses and moto accepts: texts that break a pattern, and more than a quota allows.

Patterns and lengths: `models.py`. Quotas:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

import json
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from botocore.awsrequest import AWSResponse
from moto.iam.models import iam_backends

from . import models
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


def _iam(call: Call) -> Any:
    """Return moto's memory of a call's account: asking its API takes longer than the call."""
    return iam_backends[call.account][call.partition]


def _role(call: Call) -> Any:
    """Return the role that a call is about, if there is one."""
    name = call.parameters["RoleName"]
    return next((each for each in _iam(call).roles.values() if each.name == name), None)


def _name_taken(call: Call) -> Refusal | None:
    """IAM's names are unique without regard to case."""
    kind = "Role" if call.action == "CreateRole" else "Policy"
    name, iam = call.parameters[f"{kind}Name"], _iam(call)
    there = iam.roles if kind == "Role" else iam.managed_policies
    own = (each for each in there.values() if ":aws:policy/" not in each.arn)
    if any(each.name.lower() == name.lower() for each in own):
        return "EntityAlreadyExists", f"{kind} with name {name} already exists."
    return None


def _too_many_attached(call: Call) -> Refusal | None:
    role = _role(call)
    attached = role.managed_policies if role else ()
    if len(attached) >= 10 and call.parameters["PolicyArn"] not in attached:
        return "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10"
    return None


def _too_many_tags(call: Call) -> Refusal | None:
    role = _role(call)
    tags = {tag["Key"] for tag in role.tags} if role else set()
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
    role, changed = _role(call), call.parameters["PolicyName"]
    there = role.policies.items() if role else ()
    others = sum(_size(document) for name, document in there if name != changed)
    if others + _size(call.parameters["PolicyDocument"]) > 10_240:
        message = f"Maximum policy size of 10240 bytes exceeded for role {role.name}"
        return "LimitExceeded", message
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
        own = call.partition
        partition = arn.split(":")[1] if arn.startswith("arn:") else own
        if partition not in (own, "*"):
            message = f'Partition "{partition}" is not valid for resource "{arn}".'
            return "MalformedPolicyDocument", message
    return None


def _still_in_use(call: Call) -> Refusal | None:
    policy = _iam(call).managed_policies.get(call.parameters["PolicyArn"])
    if policy is None:
        return None
    if len(policy.versions) > 1:
        message = "This policy has more than one version. Before you delete a policy, you must "
        return "DeleteConflict", f"{message}delete the policy's versions."
    if policy.attachment_count:
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
    statements = None
    for step, rule in _MANAGED_RULES.items():
        if step not in definition:
            continue
        statements = _statements(call, arn) if statements is None else statements
        resource = f"arn:{call.partition}:events:{call.region}:{call.account}:rule/{rule}"
        asked = [f"events:{each}" for each in ("PutTargets", "PutRule", "DescribeRule")]
        if not all(_allowed(statements, each, resource) for each in asked):
            return "AccessDeniedException", f"'{arn}' is not authorized to create managed-rule."
    return None


def _statements(call: Call, arn: str) -> list[Any]:
    """Return the statements of all policies of a role."""
    roles = [each for each in _iam(call).roles.values() if each.arn == arn]
    documents = [
        document
        for role in roles
        for document in (
            *role.policies.values(),
            *(
                each.document
                for policy in role.managed_policies.values()
                for each in policy.versions
                if each.is_default
            ),
        )
    ]
    found = [json.loads(document).get("Statement", []) for document in documents]
    return [each for one in found for each in ([one] if isinstance(one, dict) else one)]


def _allowed(statements: list[Any], action: str, resource: str) -> bool:
    """Tell whether statements allow an action on a resource, conditions aside."""
    return any(
        statement["Effect"] == "Allow"
        and any(fnmatchcase(action, each) for each in _strings(statement.get("Action", [])))
        and any(fnmatchcase(resource, each) for each in _strings(statement.get("Resource", [])))
        for statement in statements
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
