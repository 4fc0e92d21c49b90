"""What `trivet doctor` holds a deployment against: `cli/trivet/doctor/packaged.json`. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib import VERSION, events
from tools.deploy.preflight import LAMBDA_PYTHON
from tools.operations import alarms, fleet_machine
from tools.operations.names import APP, ASYNCHRONOUS, BOUNDARY


def document(
    stages: Mapping[str, Mapping[str, Any]],
    boundary: Mapping[str, Any],
    aws_managed_policies: Sequence[str],
    roles: int,
    policies: int,
) -> dict[str, Any]:
    """Return what a release is, as far as the doctor compares it.

    Args:
        stages: for each the `table`, the `schedule`, and the `policies` by function.
        boundary: the permissions boundary's document.
        aws_managed_policies: the names of those that the templates attach.
        roles: how many an environment takes.
        policies: how many customer managed policies an environment takes.
    """
    functions = list(dict.fromkeys(key for each in stages.values() for key in each["policies"]))
    return {
        "version": VERSION,
        "runtime": f"python{'.'.join(map(str, LAMBDA_PYTHON))}",
        "functions": functions,
        "asynchronous": ASYNCHRONOUS,
        "boundary_name": BOUNDARY,
        "per_environment": {"Roles": roles, "Policies": policies},
        "aws_managed_policies": aws_managed_policies,
        "alarms": [f"{APP}-${{Stage}}-{alarm.name}" for alarm in alarms.ALARMS],
        "event_pattern": events.IAM_CHANGES,
        "fleet": fleet_machine.definition(),
        "stages": stages,
        "boundary": boundary,
    }
