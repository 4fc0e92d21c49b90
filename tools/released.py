"""What `trivet doctor` holds a deployment against: `cli/trivet/doctor/packaged.json`. Pure."""

from collections.abc import Mapping
from typing import Any

from chalicelib import VERSION
from chalicelib.catalogue.profile import Profile
from chalicelib.triggers.iam_change import IAM_CHANGES
from tools.deploy.preflight import LAMBDA_PYTHON
from tools.operations import alarms, fleet_machine
from tools.operations.names import APP, ASYNCHRONOUS, BOUNDARY
from tools.permissions.names import Names


def document(
    stages: Mapping[str, Mapping[str, Any]],
    boundary: Mapping[str, Any],
    names: Names,
    profile: Profile,
) -> dict[str, Any]:
    """Return what a release is, as far as the doctor compares it.

    Args:
        stages: for each the `table`, the `schedule`, and the `policies` by function.
        boundary: the permissions boundary's document.
        names: what the templates name.
        profile: whose environments the quotas are held against.
    """
    policies = sum(len(each.content.customer_managed_policies) for each in profile.templates)
    functions = list(dict.fromkeys(key for each in stages.values() for key in each["policies"]))
    return {
        "version": VERSION,
        "runtime": f"python{'.'.join(map(str, LAMBDA_PYTHON))}",
        "functions": functions,
        "asynchronous": ASYNCHRONOUS,
        "boundary_name": BOUNDARY,
        "per_environment": {"Roles": len(profile.templates), "Policies": policies},
        "aws_managed_policies": list(names.aws_managed_policies),
        "alarms": [f"{APP}-${{Stage}}-{alarm.name}" for alarm in alarms.ALARMS],
        "event_pattern": IAM_CHANGES,
        "fleet": fleet_machine.definition(),
        "stages": stages,
        "boundary": boundary,
    }
