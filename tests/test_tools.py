"""The tools behind the make targets, run: the embedded AWS, serve, console and demo."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import pytest

from tools import serve
from tools.child import REPOSITORY, ChildError
from tools.embedded_aws import EmbeddedAws, embedded_aws, without_aws
from tools.local_http import HOST, NoAnswerError, free_port, is_free, send

ACCOUNT_ROLE = "arn:aws:iam::123456789012:role/"


# --- the embedded AWS


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with embedded_aws() as running:
        yield running


def client(aws: EmbeddedAws, service: str) -> Any:
    variables = aws.environment
    session: Any = boto3.Session()
    return session.client(
        service,
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_DEFAULT_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


def test_embedded_aws_knows_current_managed_policies_and_refuses_withdrawn_ones(
    aws: EmbeddedAws,
) -> None:
    iam = client(aws, "iam")
    iam.create_role(RoleName="attaching", AssumeRolePolicyDocument="{}")

    iam.attach_role_policy(
        RoleName="attaching", PolicyArn="arn:aws:iam::aws:policy/AWSLambda_FullAccess"
    )
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.attach_role_policy(
            RoleName="attaching", PolicyArn="arn:aws:iam::aws:policy/AWSLambdaFullAccess"
        )


def test_executions_call_other_services_inside_the_embedded_aws(aws: EmbeddedAws) -> None:
    def task(action: str, **then: Any) -> dict[str, Any]:
        return {"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:{action}"} | then

    definition = {
        "StartAt": "WhoAmI",
        "States": {
            "WhoAmI": task("sts:getCallerIdentity", ResultPath="$.identity", Next="Jobs"),
            "Jobs": task("sagemaker:listProcessingJobs", ResultPath="$.jobs", End=True),
        },
    }
    states = client(aws, "stepfunctions")
    machine = states.create_state_machine(
        name="calling", definition=json.dumps(definition), roleArn=f"{ACCOUNT_ROLE}any"
    )
    execution = states.start_execution(stateMachineArn=machine["stateMachineArn"], input="{}")

    outcome = wait_for_execution(states, execution["executionArn"])

    assert outcome["status"] == "SUCCEEDED", outcome
    assert json.loads(outcome["output"])["identity"]["Account"] == "123456789012"


def wait_for_execution(states: Any, execution_arn: str) -> dict[str, Any]:
    for _ in range(300):
        outcome: dict[str, Any] = states.describe_execution(executionArn=execution_arn)
        if outcome["status"] != "RUNNING":
            return outcome
        time.sleep(0.1)
    raise AssertionError("the execution did not end in 30 s")


def test_embedded_aws_ends_with_its_context_and_takes_its_process_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = mark_processes(monkeypatch)
    with embedded_aws(region="cn-north-1") as running:
        assert running.environment["AWS_DEFAULT_REGION"] == "cn-north-1"
        assert len(processes_of(run)) == 1

    assert processes_of(run) == []
    with pytest.raises(NoAnswerError):
        send("GET", running.endpoint)


def test_embedded_aws_ends_when_its_parent_is_killed() -> None:
    script = (
        "import time\n"
        "from tools.embedded_aws import embedded_aws\n"
        "with embedded_aws() as aws:\n"
        "    print(aws.endpoint, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        endpoint = parent.stdout.readline().strip()
        assert send("GET", f"{endpoint}/moto-api/config").status < 300
        parent.kill()

    assert eventually(lambda: is_free(int(endpoint.rpartition(":")[2])))


def test_embedded_aws_forgets_everything_on_reset(aws: EmbeddedAws) -> None:
    iam = client(aws, "iam")
    iam.create_role(RoleName="forgotten", AssumeRolePolicyDocument="{}")
    aws.reset()
    assert iam.list_roles()["Roles"] == []


def test_embedded_aws_on_a_port_in_use_says_so(taken_port: int) -> None:
    with pytest.raises(ChildError, match=f"port {taken_port} is in use"), embedded_aws(taken_port):
        pass


def test_no_aws_setting_of_the_caller_is_left() -> None:
    environment = {
        "PATH": "/bin",
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL_IAM": "https://elsewhere.example",
        "AWS_SESSION_TOKEN": "secret",
        "MOTO_PORT": "5000",
        "NO_PROXY": "intranet.example",
    }
    assert without_aws(environment) == {
        "PATH": "/bin",
        "NO_PROXY": "intranet.example,127.0.0.1,localhost",
        "no_proxy": "intranet.example,127.0.0.1,localhost",
    }


# --- make serve


def test_serve_on_a_port_in_use_says_so(
    taken_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serve.serve(taken_port) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"make serve: port {taken_port} is in use; choose another with make serve PORT=<number>\n"
    )


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "8000.0"])
def test_serve_refuses_what_is_no_port(text: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.serve", "--port", text],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "is not a port number" in done.stderr or "expected one argument" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "stop_signal", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)]
)
def test_serve_answers_and_ends_cleanly(
    stop_signal: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = mark_processes(monkeypatch)
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "tools.serve", "--port", str(port)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as serving:
        assert serving.stdout is not None
        lines = iter(serving.stdout.readline, "")
        assert any(f"Trivet listens on http://{HOST}:{port}" in line for line in lines)
        printed = ""
        while "/reapply" not in printed:
            printed += next(lines)
        follow_what_it_prints(printed)
        serving.send_signal(stop_signal)
        rest = "".join(lines)
        assert serving.wait(20) == 0

    assert rest.endswith("Stopped.\n")
    requests = re.findall(r"^\d\d:\d\d:\d\d  (.*)$", rest, re.MULTILINE)
    assert [each.split() for each in requests] == [
        ["POST", "/environments", "201"],
        ["GET", f"/environments/{serve.NAME}/drift", "200"],
        ["POST", f"/environments/{serve.NAME}/reapply", "200"],
    ]
    log = (REPOSITORY / "build" / f"serve-{port}.log").read_text()
    assert "change applied" in log
    assert "CloudWatchMetrics" in log
    assert processes_of(run) == []
    assert is_free(port)


def follow_what_it_prints(printed: str) -> None:
    """Do what the reader is told: provision, cause drift, see it, put it back."""
    commands = re.findall(r"^  (curl (?:.*\\\n)*.*)$", printed, re.MULTILINE)
    provisioned, caused, seen, put_back = [shell(each) for each in commands]
    assert json.loads(provisioned)["status"] == "ready"
    assert "DetachRolePolicyResponse" in caused
    [change] = json.loads(seen)["changes"]
    assert change["expected"] == "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    assert json.loads(put_back)["changes"] == [change]


def shell(command: str) -> str:
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("\n", "")


# --- make console


@pytest.mark.slow
def test_console_shows_environments_in_different_states(monkeypatch: pytest.MonkeyPatch) -> None:
    run = mark_processes(monkeypatch)
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "tools.console", "--port", str(port)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as serving:
        assert serving.stdout is not None
        lines = iter(serving.stdout.readline, "")
        told = next(line for line in lines if "The API listens on" in line)
        page = next(line.strip() for line in lines if f"http://{HOST}:{port}/?token=" in line)
        api = re.search(r"http://[\d.:]+\d", told)
        assert api is not None
        listed = send("GET", f"{api.group()}/environments").body["environments"]
        connection = HTTPConnection(HOST, port, timeout=20)
        connection.request("GET", page.partition(str(port))[2])
        opened = connection.getresponse()
        connection.close()
        serving.send_signal(signal.SIGINT)
        assert serving.wait(20) == 0

    assert (opened.status, opened.headers["Location"]) == (303, "/environments")

    states = {
        each["name"]: (each["profile"], each["status"], each["smoke_test"]["status"])
        for each in listed
    }
    assert states == {
        "analytics-test": ("standard", "drifted", "succeeded"),
        "datalake-consumer-dev": ("standard", "ready", "succeeded"),
        "mlops-prod": ("scoped", "ready", "succeeded"),
        "reporting-lab": ("standard", "ready", "failed"),
    }
    assert processes_of(run) == []


# --- make demo


def test_demo_shows_a_ready_environment_and_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = mark_processes(monkeypatch)
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo"],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    assert "Ready: datalake-consumer-dev is provisioned and in sync" in done.stdout
    for role in ("SageMaker", "StepFunctionsWorkflowExecution", "LambdaTriggerStepFunc"):
        assert f"arn:aws:iam::123456789012:role/datalake-consumer-dev-{role}" in done.stdout
    assert "may pass     workflow_execution to states.amazonaws.com" in done.stdout
    assert "may pass     notebook to sagemaker.amazonaws.com" in done.stdout
    assert "nothing was changed" in done.stdout
    breadth = re.findall(
        r"(\w+) +(standard|scoped) +(\d+) services, +([\d,]+) actions, +([\d,]+) of them on \*",
        done.stdout,
    )
    assert [each[:2] for each in breadth] == [
        (key, profile)
        for key in ("notebook", "workflow_execution", "lambda_trigger")
        for profile in ("standard", "scoped")
    ]
    for standard, scoped in zip(breadth[::2], breadth[1::2], strict=True):
        assert int(scoped[4].replace(",", "")) < int(standard[4].replace(",", "")) / 10
    assert processes_of(run) == []


# --- helpers


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        listening.listen()
        yield listening.getsockname()[1]


def mark_processes(monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the processes that this test starts from now on a mark in their environment."""
    run = uuid.uuid4().hex
    monkeypatch.setenv("TRIVET_TEST_RUN", run)
    return run


def processes_of(run: str) -> list[int]:
    """Return the other processes that carry the mark."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("needs /proc to see which processes are left")
    return [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdecimal() and carries(folder, run)
    ]


def carries(process_folder: Path, run: str) -> bool:
    try:
        return run.encode() in (process_folder / "environ").read_bytes()
    except OSError:
        return False


def eventually(condition: Callable[[], bool]) -> bool:
    for _ in range(100):
        if condition():
            return True
        time.sleep(0.1)
    return False
