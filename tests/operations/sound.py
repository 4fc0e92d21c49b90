"""A sound deployment in an AWS in memory, as `make deploy` leaves it, for the doctor to look at."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from tests.operations.standing import session
from tools.child import REPOSITORY
from tools.operations.names import function_name, role_name, rule_name
from trivet.doctor.deployment import Deployment, packaged

STAGE = "dev"
ACCOUNT = "123456789012"
FUNCTIONS: list[str] = packaged()["functions"]


class Answers:
    """What the API answers; a test changes it."""

    def __init__(self) -> None:
        self.version = packaged()["version"]
        self.accounts = [
            {"account_id": ACCOUNT, "status": "connected", "detail": None},
            {"account_id": "210987654321", "status": "connected", "detail": None},
        ]

    def __call__(self, path: str) -> Mapping[str, Any]:
        if path == "/health":
            return {"status": "ok", "version": self.version}
        # Two pages: the doctor reads both.
        first = path == "/accounts"
        page = self.accounts[:1] if first else self.accounts[1:]
        return {"accounts": page, "next_cursor": "next" if first else None}


def client(service: str) -> Any:
    return session().create_client(service)


def deploy() -> None:
    """Make everything."""
    make_functions()
    make_logs()
    make_rules()
    make_table()
    make_account()
    make_watching()
    make_api()


def deployment(answers: Answers) -> Deployment:
    return Deployment(STAGE, session(), answers)


def make_functions() -> None:
    iam, functions = client("iam"), client("lambda")
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    for key in FUNCTIONS:
        role, name = role_name(key, STAGE), function_name(key, STAGE)
        made = iam.create_role(
            RoleName=role,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
        policy = packaged()["stages"][STAGE]["policies"][key]
        iam.put_role_policy(RoleName=role, PolicyName=role, PolicyDocument=json.dumps(policy))
        create_function(functions, name, made["Role"]["Arn"])


def make_logs() -> None:
    logs = client("logs")
    for key in FUNCTIONS:
        group = f"/aws/lambda/{function_name(key, STAGE)}"
        logs.create_log_group(logGroupName=group)
        logs.put_retention_policy(logGroupName=group, retentionInDays=90)


def create_function(functions: Any, name: str, role: str, code: str = "release") -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as zipped:
        # With a date of its own, so that equal contents are equal packages.
        zipped.writestr(zipfile.ZipInfo("app.py", (2026, 1, 1, 0, 0, 0)), code)
    functions.create_function(
        FunctionName=name,
        Role=role,
        Runtime=packaged()["runtime"],
        Handler="app.app",
        Code={"ZipFile": packed.getvalue()},
        Environment={"Variables": {"TRIVET_STAGE": STAGE}},
    )


def make_rules() -> None:
    events, functions = client("events"), client("lambda")
    released = packaged()["stages"][STAGE]
    schedule, pattern = rule_name("drift_run", STAGE), rule_name("iam_change", STAGE)
    events.put_rule(Name=schedule, ScheduleExpression=released["schedule"])
    events.put_rule(Name=pattern, EventPattern=json.dumps(packaged()["event_pattern"]))
    for key in ("drift_run", "iam_change"):
        arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{function_name(key, STAGE)}"
        rule = rule_name(key, STAGE)
        events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
        functions.add_permission(
            FunctionName=function_name(key, STAGE),
            StatementId="rule",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{rule}",
        )


def make_table() -> None:
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName=f"trivet-{STAGE}",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=True,
    )
    dynamodb.update_continuous_backups(
        TableName=f"trivet-{STAGE}",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )


def make_account() -> None:
    client("iam").create_policy(
        PolicyName=packaged()["boundary_name"], PolicyDocument=json.dumps(packaged()["boundary"])
    )
    client("s3").create_bucket(Bucket="trail")
    trails = client("cloudtrail")
    trails.create_trail(Name="all", S3BucketName="trail", IsMultiRegionTrail=True)
    trails.start_logging(Name="all")


def make_watching() -> None:
    alarms, queues, functions = client("cloudwatch"), client("sqs"), client("lambda")
    for name in packaged()["alarms"]:
        alarms.put_metric_alarm(
            AlarmName=name.replace("${Stage}", STAGE),
            Namespace="Trivet",
            MetricName="Any",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=[f"arn:aws:sns:us-east-1:{ACCOUNT}:platform"],
        )
    for key in packaged()["asynchronous"]:
        queue = f"trivet-{STAGE}-{key}-failed"
        queues.create_queue(QueueName=queue)
        functions.put_function_event_invoke_config(
            FunctionName=function_name(key, STAGE),
            DestinationConfig={
                "OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}"}
            },
        )
    text = json.dumps(packaged()["fleet"])
    values = {"Stage": STAGE, "Partition": "aws", "Region": "us-east-1", "AccountId": ACCOUNT}
    for placeholder, value in values.items():
        text = text.replace(f"${{AWS::{placeholder}}}", value).replace(f"${{{placeholder}}}", value)
    client("stepfunctions").create_state_machine(
        name=f"trivet-{STAGE}-fleet", definition=text, roleArn=f"arn:aws:iam::{ACCOUNT}:role/fleet"
    )


def make_api(name: str = "trivet") -> str:
    api = client("apigateway")
    api_id: str = api.create_rest_api(name=name)["id"]
    root = api.get_resources(restApiId=api_id)["items"][0]["id"]
    where = {"restApiId": api_id, "resourceId": root, "httpMethod": "GET"}
    api.put_method(**where, authorizationType="AWS_IAM")
    api.put_integration(**where, type="MOCK")
    api.create_deployment(restApiId=api_id, stageName=STAGE)
    patches = {
        "/accessLogSettings/destinationArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:access",
        "/*/*/throttling/rateLimit": "20",
    }
    api.update_stage(
        restApiId=api_id,
        stageName=STAGE,
        patchOperations=[
            {"op": "replace", "path": path, "value": value} for path, value in patches.items()
        ],
    )
    return api_id


def checked_in(path: str) -> Any:
    return json.loads((REPOSITORY / path).read_text())
