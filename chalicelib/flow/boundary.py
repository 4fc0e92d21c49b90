"""The permissions boundary of an environment's roles: that it may be declared, and is there."""

import json

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.accounts import Target
from chalicelib.aws.answers import code_of, translated
from chalicelib.errors import FieldError, Invalid
from chalicelib.flow.plan import Plan
from chalicelib.installation import Installation, packaged_boundary
from chalicelib.model import documents
from chalicelib.model.actual import ActualPolicy
from chalicelib.model.desired import Desired, Place
from chalicelib.resources import policy
from chalicelib.settings import DEFAULT_BOUNDARY

_NEEDED_BY = ("create_role", "put_permissions_boundary")


def check_declared(installation: Installation, target: Target, declared: str | None) -> None:
    """Check that a call may declare this boundary here.

    Raises:
        Invalid: it is not the one that this deployment demands, or of another account or partition.
    """
    if declared is None:
        return
    demanded, place = installation.demanded_boundary(target.place), target.place
    if demanded is not None and declared != demanded:
        raise _invalid(f"this deployment demands {demanded}; leave it out or name that one")
    _, partition, _, _, owner, _ = declared.split(":", 5)
    if partition != place.partition or owner not in (place.account_id, "aws"):
        raise _invalid(f"must be a policy of account {place.account_id} in {place.partition}")


def ensure_for(target: Target, plan: Plan) -> None:
    """See to it that the boundary exists, where a plan puts it on a role: see `ensure`."""
    if any(each.kind in _NEEDED_BY for each in plan.steps):
        ensure(target, plan.desired)


def ensure(target: Target, desired: Desired) -> None:
    """See to it that the boundary of an environment's roles exists.

    Trivet's own is made where it is missing; any other is its owner's to make.

    Raises:
        Invalid: there is no such policy.
    """
    if is_missing(target, desired):
        make(target)


def check_planned(target: Target, plan: Plan) -> None:
    """Check that the boundary which a plan puts on a role exists, or is Trivet's own to make.

    Raises:
        Invalid: there is no such policy.
    """
    if any(each.kind in _NEEDED_BY for each in plan.steps):
        is_missing(target, plan.desired)


def is_missing(target: Target, desired: Desired) -> bool:
    """Tell whether the boundary of an environment's roles is Trivet's own, and has to be made.

    Raises:
        Invalid: it is another's, and there is no such policy.
    """
    boundary = desired.roles[0].permissions_boundary
    if boundary is None or policy.head(target, boundary) is not None:
        return False
    if boundary != f"{target.place.iam}:policy/{DEFAULT_BOUNDARY}":
        raise _invalid(f"there is no policy {boundary}")
    return True


def make(target: Target) -> None:
    """Make Trivet's own boundary; find it made already, if another call was first."""
    try:
        target.iam.create_policy(
            PolicyName=DEFAULT_BOUNDARY,
            Path="/",
            Description="The most that roles made by Trivet can do. Managed by Trivet's deployer.",
            PolicyDocument=packaged_boundary(),
        )
    except (ClientError, BotoCoreError) as error:
        # Another call made it just now.
        if code_of(error) != "EntityAlreadyExists":
            doing = f"creating the permissions boundary {DEFAULT_BOUNDARY}"
            raise translated(error, doing) from error


def generated(installation: Installation, place: Place) -> str | None:
    """Return the ARN of the generated boundary where it is demanded in this account."""
    arn = f"{place.iam}:policy/{DEFAULT_BOUNDARY}"
    return arn if installation.demanded_boundary(place) == arn else None


def out_of_date(there: ActualPolicy) -> str | None:
    """Tell whether an account's boundary is another than the generated one.

    Returns:
        What to say of it, or `None` where it is current.
    """
    if documents.same_policy(json.loads(packaged_boundary()), there.document):
        return None
    return (
        f"The permissions boundary {there.arn} differs from the generated one: deploy again "
        "(make deploy), or update it from policies/permissions-boundary.json."
    )


def _invalid(message: str) -> Invalid:
    return Invalid([FieldError("permissions_boundary", message)])
