"""Section 1: what an environment consists of, and nothing more, in each partition."""

import re
from typing import Any

import pytest
from moto.utilities.utils import get_partition

from tests.kit import inventory
from tests.kit.http import Api
from tests.kit.names import ACCOUNT, HOME

# The table of section 1, typed in here a second time, from the contract.
ROLE_NAMES = {
    "notebook": "{E}-SageMaker",
    "workflow_execution": "{E}-StepFunctionsWorkflowExecution",
    "lambda_trigger": "{E}-LambdaTriggerStepFunc",
}
TRUSTED = {
    "notebook": "sagemaker.amazonaws.com",
    "workflow_execution": "states.amazonaws.com",
    "lambda_trigger": "lambda.amazonaws.com",
}
AWS_MANAGED = {
    "notebook": [
        "AWSStepFunctionsFullAccess",
        "AmazonS3FullAccess",
        "AmazonEC2ContainerRegistryFullAccess",
        "AmazonSageMakerFullAccess",
        "AmazonAthenaFullAccess",
        "AmazonRedshiftFullAccess",
        "SecretsManagerReadWrite",
    ],
    "workflow_execution": ["CloudWatchEventsFullAccess"],
    "lambda_trigger": [
        "AWSStepFunctionsFullAccess",
        "AWSLambda_FullAccess",
        "CloudWatchFullAccess",
        "AmazonS3FullAccess",
        "SecretsManagerReadWrite",
    ],
}
CUSTOMER_MANAGED = {
    "notebook": [],
    "workflow_execution": ["{E}-AmazonSageMaker-StepFunctionsWorkflowExecutionPolicy"],
    "lambda_trigger": ["{E}-LambdaTriggerStepFuncRole"],
}

# The actions of the manual procedure, with the corrections of aws-facts.md.
WORKFLOW_ACTIONS = [
    "batch:DescribeJobs",
    "batch:SubmitJob",
    "batch:TerminateJob",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "ecs:DescribeTasks",
    "ecs:RunTask",
    "ecs:StopTask",
    "glue:BatchStopJobRun",
    "glue:GetJobRun",
    "glue:GetJobRuns",
    "glue:StartJobRun",
    "lambda:InvokeFunction",
    "sagemaker:CreateEndpoint",
    "sagemaker:CreateEndpointConfig",
    "sagemaker:CreateHyperParameterTuningJob",
    "sagemaker:CreateModel",
    "sagemaker:CreateProcessingJob",
    "sagemaker:CreateTrainingJob",
    "sagemaker:CreateTransformJob",
    "sagemaker:DeleteEndpoint",
    "sagemaker:DeleteEndpointConfig",
    "sagemaker:DescribeHyperParameterTuningJob",
    "sagemaker:DescribeProcessingJob",
    "sagemaker:DescribeTrainingJob",
    "sagemaker:DescribeTransformJob",
    "sagemaker:ListProcessingJobs",
    "sagemaker:ListTags",
    "sagemaker:StopHyperParameterTuningJob",
    "sagemaker:StopProcessingJob",
    "sagemaker:StopTrainingJob",
    "sagemaker:StopTransformJob",
    "sagemaker:UpdateEndpoint",
    "sns:Publish",
    "sqs:SendMessage",
    "sagemaker:AddTags",
]
EVENT_RULES = [
    "SageMakerTrainingJobs",
    "SageMakerTransformJobs",
    "SageMakerTuningJobs",
    "SageMakerProcessingJobs",
    "ECSTask",
    "BatchJobs",
]


@pytest.fixture(scope="module", params=["us-east-1", "cn-north-1"])
def region(request: pytest.FixtureRequest) -> str:
    """A region of each partition that moto's IAM knows; it puts GovCloud's roles into `aws`."""
    return str(request.param)


@pytest.fixture(scope="module")
def partition(region: str) -> str:
    return get_partition(region)


def test_iam_holds_section_1_and_nothing_more(
    api: Api, region: str, partition: str, name: str
) -> None:
    before = inventory.held()

    document = api.provision(name, tags={"team": "datalake"})

    after = inventory.held()
    new = {each for each in after["roles"] if each not in before["roles"]}
    assert new == {template.format(E=name) for template in ROLE_NAMES.values()}
    for key, template in ROLE_NAMES.items():
        _check_role(document, key, template.format(E=name), partition, name)
    made = {arn for arn in after["policies"] if arn not in before["policies"]}
    # Where it is missing, Trivet makes it along with the first environment.
    made.discard(f"arn:{partition}:iam::{ACCOUNT}:policy/TrivetEnvironmentBoundary")
    assert made == {
        f"arn:{partition}:iam::{ACCOUNT}:policy/{policy.format(E=name)}"
        for policies in CUSTOMER_MANAGED.values()
        for policy in policies
    }
    made = set(after["state machines"]) - set(before["state machines"])
    assert {arn.rsplit(":", 1)[-1] for arn in made} == {f"{name}-smoke-test"}


def _check_role(document: Any, key: str, role: str, partition: str, name: str) -> None:
    held = inventory.role(role)
    arn = f"arn:{partition}:iam::{ACCOUNT}:role/{role}"
    assert document["roles"][key] == {"name": role, "arn": arn}
    boundary = f"arn:{partition}:iam::{ACCOUNT}:policy/TrivetEnvironmentBoundary"
    assert (held["arn"], held["path"], held["boundary"]) == (arn, "/", boundary)
    tags = {"trivet:environment": name, "trivet:role": key, "team": "datalake"}
    assert held["tags"] == tags
    assert held["trust"] == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": TRUSTED[key]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    own = [
        f"arn:{partition}:iam::{ACCOUNT}:policy/{policy.format(E=name)}"
        for policy in CUSTOMER_MANAGED[key]
    ]
    managed = [f"arn:{partition}:iam::aws:policy/{policy}" for policy in AWS_MANAGED[key]]
    assert held["attached"] == sorted(managed + own)
    assert set(held["inline"]) == ({"PassWorkflowExecutionRole"} if key == "notebook" else set())
    for policy in own:
        assert inventory.policy(policy)["tags"] == tags
        assert inventory.policy(policy)["path"] == "/"


def test_documents_grant_what_the_procedure_grants_corrected(
    api: Api, region: str, partition: str, name: str
) -> None:
    api.provision(name)

    roles, own = (f"arn:{partition}:iam::{ACCOUNT}:{kind}/{name}" for kind in ("role", "policy"))
    grant, *hands_off = inventory.role(f"{name}-SageMaker")["inline"]["PassWorkflowExecutionRole"][
        "Statement"
    ]
    assert _without_sid(grant) == {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": f"{roles}-StepFunctionsWorkflowExecution",
        "Condition": {"StringEquals": {"iam:PassedToService": "states.amazonaws.com"}},
    }
    rules, passing, steps, *off_workflow = inventory.policy(
        f"{own}-AmazonSageMaker-StepFunctionsWorkflowExecutionPolicy"
    )["document"]["Statement"]
    assert _without_sid(rules) == {
        "Effect": "Allow",
        "Action": ["events:PutTargets", "events:DescribeRule", "events:PutRule"],
        "Resource": [
            f"arn:{partition}:events:*:*:rule/StepFunctionsGetEventsFor{rule}Rule"
            for rule in EVENT_RULES
        ],
    }
    assert _without_sid(passing) == {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": f"{roles}-SageMaker",
        "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    }
    assert steps["Effect"] == "Allow"
    assert steps["Resource"] == "*"
    assert sorted(steps["Action"]) == sorted(WORKFLOW_ACTIONS)
    network, *off_trigger = inventory.policy(f"{own}-LambdaTriggerStepFuncRole")["document"][
        "Statement"
    ]
    assert _without_sid(network) == {
        "Effect": "Allow",
        "Action": [
            "ec2:DescribeNetworkInterfaces",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeInstances",
            "ec2:AttachNetworkInterface",
        ],
        "Resource": "*",
    }
    # What the procedure does not have grants nothing: hands off what is Trivet's.
    for added in (*hands_off, *off_workflow, *off_trigger):
        assert added["Effect"] == "Deny"
        assert "trivet-*" in str(added["Resource"])


def test_every_arn_anywhere_is_of_the_partition(
    api: Api, region: str, partition: str, name: str
) -> None:
    answers = [
        api.provision(name),
        api.get(f"/environments/{name}").body,
        api.get(f"/environments/{name}/drift").body,
        api.post("/drift-runs").body,
        api.post("/environments", {"name": f"{name}-planned", "dry_run": True}).body,
        api.get("/health").body,
        inventory.held(),
        api.delete(f"/environments/{name}").body,
    ]

    partitions = set(re.findall(r"arn:(aws[a-z-]*):", repr(answers)))
    assert partitions == {partition}


def test_documents_say_where_the_environment_is(
    api: Api, region: str, partition: str, name: str
) -> None:
    document = api.provision(name)

    assert (document["account_id"], document["partition"], document["region"]) == (
        ACCOUNT,
        partition,
        region,
    )
    machine = f"arn:{partition}:states:{region}:{ACCOUNT}:stateMachine:{name}-smoke-test"
    assert document["smoke_test"]["state_machine_arn"] == machine
    health = api.get("/health").body
    assert health.pop("version")
    assert health == {
        "status": "ok",
        "account_id": HOME,
        "partition": partition,
        "region": region,
    }


def _without_sid(statement: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in statement.items() if key != "Sid"}
