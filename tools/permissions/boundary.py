"""The permissions boundary of provisioned roles: the most that they may do, whatever is attached.

It lists what is allowed: what the services that the templates use need, and nothing beside it. What
acts under a role of its own (a state machine, a Glue or Batch job, a Lambda function, a notebook)
may be acted on only where it is the environment's, by its name or by Trivet's tag: otherwise it
would lend its role. One policy serves all environments of all profiles: a role's environment is the
one in its tag.

The denials are for what the allowed would let through: what carries another environment's tag, what
is Trivet's own whatever the environment is called, and saying something in Trivet's name.
"""

from collections.abc import Iterator, Sequence

from tools.permissions.names import ENVIRONMENT_TAG, OWN_TAGS, Names, Stage
from tools.permissions.statements import (
    OWN_ENVIRONMENT,
    Condition,
    Policy,
    Statement,
    allow,
    arn,
    deny,
    deny_elsewhere,
    iam,
    policy,
)

_USED_ANYWHERE = (
    *("athena:*", "ecr:*", "redshift:*", "redshift-data:*", "s3:*", "sagemaker:*"),
    *("secretsmanager:*", "application-autoscaling:Describe*", "batch:Describe*", "batch:List*"),
    *("batch:TerminateJob", "cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*"),
    *("cloudwatch:PutMetricData", "dynamodb:*Item", "dynamodb:DescribeTable", "dynamodb:Query"),
    *("dynamodb:Scan", "ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface*"),
    *("ec2:DeleteNetworkInterface*", "ec2:Describe*", "ecs:Describe*", "ecs:List*", "ecs:StopTask"),
    *("elasticfilesystem:Describe*", "fsx:Describe*", "events:Describe*", "events:List*"),
    *("events:PutEvents", "glue:*Database*", "glue:*Partition*", "glue:*Table*", "glue:BatchGet*"),
    *("glue:Get*", "glue:List*", "glue:Search*", "iam:GetPolicy*", "iam:GetRole*"),
    *("iam:ListAttachedRolePolicies", "iam:ListPolicies", "iam:ListRole*", "kms:Decrypt"),
    *("kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ListAliases"),
    *("kms:ReEncrypt*", "lakeformation:GetDataAccess", "lambda:InvokeFunction", "lambda:List*"),
    *("logs:*LogDeliver*", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:Describe*"),
    *("logs:FilterLogEvents", "logs:Get*", "logs:PutLogEvents", "logs:StartQuery"),
    *("logs:StopQuery", "sns:Get*", "sns:List*", "sns:Publish", "sqs:GetQueue*", "sqs:List*"),
    *("sqs:*Message", "sqs:ChangeMessage*", "states:List*", "states:SendTask*"),
    *("states:ValidateStateMachineDefinition", "tag:GetResources", "xray:Get*", "xray:Put*"),
)
"""What may be done to anything: none of it runs under a role of someone else's."""

_OWN_BY_NAME = {
    "batch": ("job-definition/{}-*", "job-queue/{}-*"),
    "cloudwatch": ("alarm:{}-*",),
    "ecs": ("task-definition/{}-*",),
    "events": ("rule/{}-*",),
    "glue": ("job/{}-*",),
    "lambda": ("function:{}-*",),
    "states": ("stateMachine:{}-*", "execution:{}-*", "express:{}-*"),
}
"""Services of which an environment may do anything to its own, by the patterns of their names."""

_ANOTHERS_NOTEBOOKS = (
    *("sagemaker:*PipelineExecution*", "sagemaker:CreateApp", "sagemaker:CreateNotebookInstance*"),
    *("sagemaker:CreatePresigned*", "sagemaker:DeleteApp", "sagemaker:DeleteDomain"),
    *("sagemaker:DeleteNotebook*", "sagemaker:DeletePipeline", "sagemaker:DeleteSpace"),
    *("sagemaker:DeleteUserProfile", "sagemaker:StartNotebook*", "sagemaker:StartSession"),
    *("sagemaker:StopNotebook*", "sagemaker:UpdateCluster*", "sagemaker:UpdateDomain"),
    *("sagemaker:UpdateNotebook*", "sagemaker:UpdatePipeline", "sagemaker:UpdateSpace"),
    "sagemaker:UpdateUserProfile",
)
"""Opening, changing and running what runs under a role of its own in SageMaker. A cluster's name is
not in its ARN: it is the environment's by its tag alone."""

_OWN_IN_SAGEMAKER = (
    *("notebook-instance/{}-*", "notebook-instance-lifecycle-config/{}-*", "pipeline/{}-*"),
    *("space/d-*/{}-*", "user-profile/d-*/{}-*"),
    # A domain's id has twelve characters after `d-`; with `*` an app's own name would do.
    "app/d-????????????/{}-*",
)

_TRIVETS = {
    "cloudwatch": ("alarm:{}-*", "dashboard/{}-*"),
    "dynamodb": ("table/{}-*",),
    "events": ("rule/{}-*",),
    "lambda": ("function:{}-*",),
    "logs": ("log-group:*{}-*",),
    "sns": ("{}-*",),
    "sqs": ("{}-*",),
    # Not all of `trivet-*`: an environment of such a name has its smoke test and its workflows.
    "states": ("stateMachine:{}-*-fleet", "execution:{}-*-fleet*"),
}
"""What has the name of something of Trivet's, in services of which anything is allowed above."""

_TAGGED_AS_OWN: Condition = {
    "StringEquals": {f"aws:ResourceTag/{ENVIRONMENT_TAG}": OWN_ENVIRONMENT},
}
_NOT_TAGGED_AS_OWN: Condition = {
    "StringNotEquals": {f"aws:ResourceTag/{ENVIRONMENT_TAG}": OWN_ENVIRONMENT},
}
_TAGGED: Condition = {"Null": {f"aws:ResourceTag/{ENVIRONMENT_TAG}": "false"}}


def permissions_boundary(names: Names, stages: Sequence[Stage]) -> Policy:
    """Return the boundary for all roles that Trivet provisions, in any account.

    Args:
        stages: whose tables, functions and so on are out of reach.
    """
    return policy([*_allowed(names), *_denied(stages)])


def _allowed(names: Names) -> Iterator[Statement]:
    yield allow("Use", _USED_ANYWHERE, ["*"])
    services = [f"{service}:*" for service in _OWN_BY_NAME]
    yield allow("OwnByName", services, _named(_OWN_BY_NAME, OWN_ENVIRONMENT))
    yield allow("OwnByTag", services, ["*"], _TAGGED_AS_OWN)
    yield allow(
        "WaitForJobs",
        ["events:PutRule", "events:PutTargets"],
        [arn("events", "rule/StepFunctionsGetEventsFor*")],
    )
    yield allow(
        "ScaleEndpoints",
        ["application-autoscaling:*"],
        ["*"],
        {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}},
    )
    yield allow(
        "LendKeysToAws",
        ["kms:CreateGrant"],
        ["*"],
        {"Bool": {"kms:GrantIsForAWSResource": "true"}},
    )
    yield allow(
        "PassOwnRoles",
        ["iam:PassRole"],
        [iam(f"role/{name.replace('${environment}', OWN_ENVIRONMENT)}") for name in names.roles],
    )
    # Service-linked roles are AWS's own: one makes them by name, and cannot choose what they do.
    yield allow(
        "ServiceLinkedRoles", ["iam:CreateServiceLinkedRole"], [iam("role/aws-service-role/*")]
    )


def _denied(stages: Sequence[Stage]) -> Iterator[Statement]:
    yield deny_elsewhere(
        "NoOthersNotebooks",
        _ANOTHERS_NOTEBOOKS,
        _named({"sagemaker": _OWN_IN_SAGEMAKER}, OWN_ENVIRONMENT),
        _NOT_TAGGED_AS_OWN,
    )
    yield deny("NothingOfOthers", ["*"], ["*"], _TAGGED, _NOT_TAGGED_AS_OWN)
    # A tag that roles could set would say nothing. Tag keys differ in case, condition keys do not.
    yield deny(
        "NoTagsOfTrivets",
        ["*"],
        ["*"],
        {"ForAnyValue:StringEqualsIgnoreCase": {"aws:TagKeys": list(OWN_TAGS)}},
    )
    yield deny(
        "NoEventsInTrivetsName",
        ["events:PutEvents"],
        ["*"],
        {"ForAnyValue:StringEquals": {"events:source": "trivet"}},
    )
    yield deny(
        "NoMetricsInTrivetsName",
        ["cloudwatch:PutMetricData"],
        ["*"],
        {"StringEquals": {"cloudwatch:namespace": "Trivet"}},
    )
    [app] = {stage.app for stage in stages}
    buckets = [f"arn:*:s3:::{app}-*"]
    tables = sorted({stage.table for stage in stages if not stage.table.startswith(f"{app}-")})
    yield deny(
        "HandsOffTrivet",
        ["*"],
        [*_named(_TRIVETS, app), *buckets, *(arn("dynamodb", f"table/{name}") for name in tables)],
    )


def _named(patterns: dict[str, tuple[str, ...]], name: str) -> list[str]:
    return [
        arn(service, pattern.format(name)) for service, each in patterns.items() for pattern in each
    ]
