"""The command: `python -m tools.deploy --stage dev [--plan]`."""

import argparse
import subprocess
import sys

from botocore.exceptions import BotoCoreError, ClientError

from tools.child import REPOSITORY
from tools.deploy import api_stage, boundary, functions, gateway_responses, logs, stack
from tools.deploy.preflight import NotReadyError, check
from tools.deploy.stack import StackError
from tools.deploy.target import Target

STEPS = {
    "boundary": boundary.steps,
    "functions": functions.steps,
    "stack": stack.steps,
    "logs": logs.steps,
    # Deploys the API anew; its stage is set after that.
    "refusals": gateway_responses.steps,
    "api": api_stage.steps,
}


def main(arguments: list[str]) -> int:
    """Deploy, or tell what a deployment would do; return the exit code."""
    given = _parser().parse_args(arguments)
    settings = {"AlarmTopicArn": given.alarm_topic, "LogRetentionDays": given.log_days}
    target = Target(
        given.stage,
        REPOSITORY,
        planning=given.plan,
        settings={key: value for key, value in settings.items() if value},
    )
    name = "make deploy-plan" if given.plan else "make deploy"
    doing = "looking at the stage"
    try:
        check(given.stage, REPOSITORY)
        for step, actions in STEPS.items():
            doing, found = f"looking at the {step}", False
            for action in actions(target):
                doing, found = action.line, True
                print(f"would: {action.line}" if given.plan else action.line, flush=True)
                if not given.plan:
                    action.do()
            if not found:
                print(f"{step}: as it should be", flush=True)
    except (NotReadyError, StackError, ClientError, BotoCoreError) as error:
        print(f"{name}: {doing}: {error}.", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"{name}: chalice ended with {error.returncode}; see above.", file=sys.stderr)
    else:
        return 0
    print("The same call again goes on from here.", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make deploy", description="Deploy a stage of Trivet.")
    parser.add_argument("--stage", required=True)
    parser.add_argument("--plan", action="store_true", help="only tell what would be done")
    parser.add_argument("--alarm-topic", help="the SNS topic that alarms go to")
    parser.add_argument("--log-days", help="how long logs are kept")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
