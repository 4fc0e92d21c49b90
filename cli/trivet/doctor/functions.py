"""The Lambda functions: there, of one release, and with no more rights than they need."""

import json
from typing import Any

from trivet.doctor.checking import Fault, Skip, check, found
from trivet.doctor.deployment import Deployment, Document, packaged

_REDEPLOY = "Deploy the stage again: make deploy."
_OF_THE_STACK = "SendToDeadLetterQueue"


@check("functions are there", "Without them there is no API, no schedule, no repair at once.")
def _there(deployment: Deployment) -> str | Fault:
    missing = sorted(set(deployment.functions) - set(deployment.configurations))
    if missing:
        names = ", ".join(deployment.functions[key] for key in missing)
        return Fault(f"Missing: {names}.", _REDEPLOY)
    return f"{len(deployment.configurations)} functions in {deployment.region}."


@check("functions can run", "A function that is failed, or has no concurrency, answers nothing.")
def _can_run(deployment: Deployment) -> str | Fault:
    client = deployment.client("lambda")
    for key, each in deployment.configurations.items():
        name = deployment.functions[key]
        if each.get("State", "Active") not in ("Active", "Inactive"):
            return Fault(f"{name} is {each['State']}: {each.get('StateReason')}", _REDEPLOY)
        limit = client.get_function_concurrency(FunctionName=name)
        if limit.get("ReservedConcurrentExecutions") == 0:
            return Fault(
                f"{name} has a reserved concurrency of 0: it is turned off.",
                f"Turn it on: aws lambda delete-function-concurrency --function-name {name}",
            )
    return "All are active."


@check("functions run on the right Python", "The package has compiled parts for one Python.")
def _python(deployment: Deployment) -> str | Fault:
    wanted = packaged()["runtime"]
    runtimes = {key: each["Runtime"] for key, each in _some(deployment).items()}
    wrong = {key: runtime for key, runtime in runtimes.items() if runtime != wanted}
    if wrong:
        return Fault(f"Not on {wanted}: {wrong}.", "Deploy from a checkout set up with it.")
    return f"All on {wanted}."


@check("functions are of one release", "Functions of two releases repair what the other declared.")
def _one_code(deployment: Deployment) -> str | Fault:
    hashes = {each["CodeSha256"] for each in _some(deployment).values()}
    if len(hashes) > 1:
        return Fault("Their packages differ: a deployment ended half-way.", _REDEPLOY)
    return "All have the same package."


@check("functions belong to the stage", "Another stage's table is another fleet.")
def _stage(deployment: Deployment) -> str | Fault:
    for key, each in _some(deployment).items():
        variables = each.get("Environment", {}).get("Variables", {})
        stage = variables.get("TRIVET_STAGE")
        table = variables.get("TRIVET_TABLE", f"trivet-{stage}")
        if (stage, table) != (deployment.stage, deployment.table):
            name = deployment.functions[key]
            return Fault(f"{name} has stage {stage} and table {table}.", _REDEPLOY)
    return f"All have the table {deployment.table}."


@check(
    "functions' permissions are the packaged ones", "More is a way up; less fails in the middle."
)
def _permissions(deployment: Deployment) -> str | Fault:
    if deployment.released is None:
        raise Skip(f"This package was not released with a stage {deployment.stage}.")
    faults = [
        fault
        for key, policy in deployment.released["policies"].items()
        if (fault := _role_fault(deployment, key, policy))
    ]
    if faults:
        return Fault(" ".join(faults), "Find out who changed it (CloudTrail), then make deploy.")
    return "Each role has its packaged policy, and nothing else."


@check("only Lambda may assume the functions' roles", "Who assumes one is Trivet.")
def _trust(deployment: Deployment) -> str | Fault:
    for key in deployment.functions:
        role = f"{deployment.app}-{key}"
        answer = found(deployment.client("iam").get_role, "NoSuchEntity", RoleName=role)
        if answer is None:
            return Fault(f"The role {role} is missing.", _REDEPLOY)
        for statement in answer["Role"]["AssumeRolePolicyDocument"]["Statement"]:
            if statement["Principal"] != {"Service": "lambda.amazonaws.com"}:
                principal = json.dumps(statement["Principal"])
                return Fault(
                    f"{role} may be assumed by {principal}.",
                    "Take that out of its trust policy, and find out who put it there.",
                )
    return "Their trust policies name Lambda alone."


@check(
    "only the API and the rules may invoke", "Whoever invokes the API's function is every caller."
)
def _invokers(deployment: Deployment) -> str | Fault:
    client = deployment.client("lambda")
    for name in deployment.functions.values():
        answer = found(client.get_policy, "ResourceNotFoundException", FunctionName=name)
        for statement in json.loads(answer["Policy"])["Statement"] if answer else ():
            if not _is_expected(statement):
                return Fault(
                    f"{name} may be invoked by {json.dumps(statement['Principal'])} "
                    f"(statement {statement['Sid']}).",
                    f"aws lambda remove-permission --function-name {name} "
                    f"--statement-id {statement['Sid']}",
                )
    return "Their resource policies name API Gateway and EventBridge, each with its source."


def _some(deployment: Deployment) -> dict[str, Any]:
    if not deployment.configurations:
        raise Skip("There are no functions to look at.")
    return deployment.configurations


def _is_expected(statement: Document) -> bool:
    services = ("apigateway.amazonaws.com", "events.amazonaws.com")
    principal = statement["Principal"]
    service = principal.get("Service") if isinstance(principal, dict) else None
    conditions = statement.get("Condition", {})
    return service in services and any("AWS:SourceArn" in each for each in conditions.values())


def _role_fault(deployment: Deployment, key: str, policy: Document) -> str | None:
    iam, role = deployment.client("iam"), f"{deployment.app}-{key}"
    names = found(iam.list_role_policies, "NoSuchEntity", RoleName=role)
    if names is None:
        return f"The role {role} is missing."
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    if attached:
        return f"{role} has attached policies: {', '.join(each['PolicyArn'] for each in attached)}."
    inline = [each for each in names["PolicyNames"] if each != _OF_THE_STACK]
    if len(inline) != 1:
        return f"{role} has the inline policies {', '.join(inline) or 'none'}, not one."
    there = iam.get_role_policy(RoleName=role, PolicyName=inline[0])["PolicyDocument"]
    if there == policy:
        return None
    return f"{role}: {_difference(there, policy)}."


def _difference(there: Document, packaged_one: Document) -> str:
    before, after = (
        {each.get("Sid", ""): each for each in document["Statement"]}
        for document in (there, packaged_one)
    )
    changed = sorted(sid for sid in before | after if before.get(sid) != after.get(sid))
    return f"statements {', '.join(changed)} differ"
