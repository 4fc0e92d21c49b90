"""Two environments that may stand together do not reach each other's resources under `scoped`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from chalicelib import catalogue

from .rendered import ACCOUNT, own_documents, rendered
from .service_reference import actions, is_of, listed, matches, resource_formats

ON_ANYONES = {
    # Contract: images may be pulled from any repository.
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetDownloadUrlForLayer",
    "ecr:ListImages",
    # What the console lists: names alone.
    "logs:DescribeLogGroups",
}

names = st.from_regex(r"[ab][ab-]{1,7}[ab]", fullmatch=True)


def owned_by(name: str) -> Iterator[str]:
    """ARNs of what is an environment's own, of every kind that the contract lists."""

    def arn(service: str, *resources: str) -> Iterator[str]:
        for each in resources:
            yield f"arn:aws:{service}:us-east-1:{ACCOUNT}:{each}"

    yield from arn(
        "states",
        *(f"stateMachine:{name}-m", f"execution:{name}-m:run", f"express:{name}-m:run:id"),
        f"mapRun:{name}-m/label:id",
    )
    jobs = ("training", "processing", "transform", "hyper-parameter-tuning", "automl")
    yield from arn("sagemaker", *(f"{kind}-job/{name}-job" for kind in jobs))
    yield from arn(
        "sagemaker",
        *(f"{kind}/{name}-x" for kind in ("model", "endpoint", "endpoint-config", "pipeline")),
        *(f"model-package-group/{name}-g", f"model-package/{name}-g/1"),
        *(f"pipeline/{name}-p/execution/abc", f"notebook-instance/{name}-n"),
        *(f"experiment/{name}-e", f"experiment-trial/{name}-t"),
        f"experiment-trial-component/{name}-c",
    )
    yield from arn("lambda", f"function:{name}-f", f"function:{name}-f:alias")
    yield from arn("glue", f"job/{name}-j")
    yield from arn("batch", f"job-queue/{name}-q", f"job-definition/{name}-d:1")
    yield from arn("sns", f"{name}-topic")
    yield from arn("sqs", f"{name}-queue")
    yield from arn("dynamodb", f"table/{name}-t", f"table/{name}-t/index/i")
    yield from arn("ecs", f"cluster/{name}-c", f"task/{name}-c/1", f"task-definition/{name}-f:1")
    groups = ("/aws/lambda/", "/aws/vendedlogs/states/", "/aws/sagemaker/Endpoints/", "")
    for group in groups:
        yield from arn(
            "logs", f"log-group:{group}{name}-g", f"log-group:{group}{name}-g:log-stream:s"
        )
    shared = ("TrainingJobs", "ProcessingJobs", "TransformJobs", "NotebookInstances")
    yield from arn(
        "logs", *(f"log-group:/aws/sagemaker/{group}:log-stream:{name}-x/1" for group in shared)
    )
    yield from arn("ecr", f"repository/{name}-r", f"repository/{name}/r")
    yield from arn("secretsmanager", f"secret:{name}/password-AbCdEf")
    yield from arn("athena", f"workgroup/{name}")
    database = name.replace("-", "_")
    for each in (database, f"{database}_more"):
        yield from arn("glue", f"database/{each}", f"table/{each}/table")
    yield from (f"arn:aws:s3:::{name}-data", f"arn:aws:s3:::{name}-data/key")
    yield from (
        f"arn:aws:iam::{ACCOUNT}:role/{name}{suffix}"
        for suffix in ("-SageMaker", "-StepFunctionsWorkflowExecution", "-LambdaTriggerStepFunc")
    )


def reached(statement: Mapping[str, Any], resource: str) -> Iterator[str]:
    """The actions that a statement allows on a resource, whatever its conditions say."""
    if statement["Effect"] != "Allow" or not any(
        matches(pattern, resource) for pattern in listed(statement["Resource"])
    ):
        return
    service = resource.split(":")[2]
    for pattern in listed(statement["Action"]):
        if pattern.partition(":")[0] == service:
            for action in actions(pattern):
                formats = resource_formats(action) - {"*"}
                if any(is_of(each, resource) for each in formats):
                    yield action


def trespasses(one: str, other: str) -> list[str]:
    """What the roles of one environment may do to what is the other's own."""
    statements = [
        each
        for document in own_documents(rendered("scoped", name=one)).values()
        for each in document["Statement"]
    ]
    return [
        f"{statement['Sid']}: {action} on {resource}"
        for resource in owned_by(other)
        for statement in statements
        for action in reached(statement, resource)
        if action not in ON_ANYONES
    ]


@settings(max_examples=10, derandomize=True, database=None, deadline=None)
@example(one="aaa", other="aaaa")
@example(one="a-b", other="b-a-b")
@example(one="lake", other="lakes")
@example(one="lake", other="data-lake")
@given(one=names, other=names)
def test_environments_that_may_stand_together_do_not_reach_each_other(one: str, other: str) -> None:
    assume(one != other)
    assume(catalogue.load().contested(one, "scoped", [(other, "scoped")]) is None)

    assert trespasses(one, other) == []


def test_environments_that_may_not_stand_together_would() -> None:
    """The rule of names is needed: and the test above can fail."""
    assert catalogue.load().contested("lake", "scoped", [("lake-dev", "standard")]) == "lake-dev"
    assert len(trespasses("lake", "lake-dev")) > 50


def test_environments_reach_what_is_their_own() -> None:
    reachable = {each.rpartition(" ")[2] for each in trespasses("lake", "lake")}
    used_as_a_whole = {
        # Named in conditions, or used by what runs; no action of a role's is on them.
        *("cluster/lake-c", "automl-job/lake-job", "function:lake-f:alias", "index/i"),
    }

    assert {
        each
        for each in set(owned_by("lake")) - reachable
        if not any(each.endswith(part) for part in used_as_a_whole) and "LambdaTrigger" not in each
    } == set()
