"""What an environment may be called, and whose a resource's name is.

Every name that a profile gives holds `${environment}` once. How long an environment's name may be
follows from these names and AWS's limits:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html and
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

import re
from collections.abc import Iterable

NAME_PATTERN = r"^[a-z][a-z0-9-]*[a-z0-9]$"
NAME_MIN_LENGTH = 3

ROLE_NAME_LIMIT = 64
POLICY_NAME_LIMIT = 128
STATE_MACHINE_NAME_LIMIT = 80

_PLACEHOLDER = "${environment}"


def named(template: str, environment: str) -> str:
    """Return a resource's name in this environment."""
    return template.replace(_PLACEHOLDER, environment)


def room(template: str, limit: int) -> int:
    """Return how long an environment's name may be, so that this name fits AWS's limit."""
    return limit - len(named(template, ""))


def is_name(name: str, longest: int) -> bool:
    """Tell whether this could be the name of an environment."""
    return (
        NAME_MIN_LENGTH <= len(name) <= longest
        and re.fullmatch(NAME_PATTERN.strip("^$"), name) is not None
    )


def environment_of(resource_name: str, templates: Iterable[str], longest: int) -> str | None:
    """Return the environment that a resource of this name would belong to, if any.

    Args:
        resource_name: a role's or policy's; IAM's are unique without regard to case.
        templates: the names that resources have, with `${environment}` in them.
        longest: how long an environment's name may be.
    """
    # The longest first: `x-Own-Role` is of `x` where there is a template `...-Own-Role`.
    for template in sorted(templates, key=len, reverse=True):
        before, after = template.split(_PLACEHOLDER, 1)
        pattern = re.escape(before) + "([a-z][a-z0-9-]*[a-z0-9])" + re.escape(after)
        match = re.fullmatch(pattern, resource_name, re.IGNORECASE)
        if match and is_name(match.group(1).lower(), longest):
            return match.group(1).lower()
    return None


def overlap(one: str, other: str) -> bool:
    """Tell whether what is called by one name and `-` and more could be the other's too."""
    return one.startswith(f"{other}-") or other.startswith(f"{one}-")
