"""The manual procedure of the appendix as a script: each step that reaches AWS is one call.

One after the other, as the console, the AWS CLI or a plain script does it. Steps that look
something up ("search for", "copy the ARN") are the one read that answers them. Where the appendix
is out of date, the call is the corrected one; `policies/README.md` lists the corrections.
"""

from typing import TYPE_CHECKING, Any

from chalicelib import documents
from chalicelib.model import Desired, ManagedPolicy, Role

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_stepfunctions import SFNClient


def follow(iam: "IAMClient", states: "SFNClient", desired: Desired) -> str:
    """Do what the appendix says, for one environment, and return the execution's ARN."""
    notebook, workflow, trigger = (
        desired.role(key) for key in ("notebook", "workflow_execution", "lambda_trigger")
    )
    policy_of = {policy.role: policy for policy in desired.policies}

    # 1. Add permissions to your notebook role in IAM
    _create(iam, notebook)
    for arn in notebook.managed_policies:
        iam.attach_role_policy(RoleName=notebook.name, PolicyArn=arn)
    # The correction without which the notebook cannot start a workflow.
    for name, document in notebook.inline_policies.items():
        text = documents.minified(document)
        iam.put_role_policy(RoleName=notebook.name, PolicyName=name, PolicyDocument=text)

    # 2. Create an execution role for Step Functions
    _create(iam, workflow)
    iam.get_role(RoleName=workflow.name)  # "Search for ... IAM Role"
    _attach_aws_managed(iam, workflow)
    iam.get_role(RoleName=notebook.name)  # "Replace NOTEBOOK_ROLE_ARN with the ARN"
    _create_and_attach(iam, workflow, policy_of[workflow.key])

    # 3. Create a Lambda trigger role for Step Functions
    _create(iam, trigger)
    _attach_aws_managed(iam, trigger)
    _create_and_attach(iam, trigger, policy_of[trigger.key])

    # What the procedure is for: a workflow that runs under the role.
    machine = desired.state_machine
    states.create_state_machine(
        name=machine.name,
        definition=documents.minified(machine.definition),
        roleArn=machine.role_arn,
        tags=[{"key": key, "value": value} for key, value in machine.tags.items()],
    )
    return states.start_execution(stateMachineArn=machine.arn)["executionArn"]


def _create(iam: "IAMClient", role: Role) -> None:
    iam.create_role(
        RoleName=role.name,
        Description=role.description,
        AssumeRolePolicyDocument=documents.minified(role.trust_policy),
        Tags=_tags(role.tags),
    )


def _attach_aws_managed(iam: "IAMClient", role: Role) -> None:
    for arn in role.managed_policies:
        if ":iam::aws:" in arn:
            iam.attach_role_policy(RoleName=role.name, PolicyArn=arn)


def _create_and_attach(iam: "IAMClient", role: Role, policy: ManagedPolicy) -> None:
    """Do the steps that both sections 2 and 3 end with."""
    iam.create_policy(
        PolicyName=policy.name,
        Description=policy.description,
        PolicyDocument=documents.minified(policy.document),
        Tags=_tags(policy.tags),
    )
    iam.get_role(RoleName=role.name)  # "Select Roles and search for your ... role"
    iam.get_policy(PolicyArn=policy.arn)  # "Search for your newly created ... policy"
    iam.attach_role_policy(RoleName=role.name, PolicyArn=policy.arn)
    iam.get_role(RoleName=role.name)  # "Copy the ... Role ARN at the top of the Summary"


def _tags(tags: Any) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
