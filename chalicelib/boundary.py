"""The permissions boundary that a call declares: checked before anything is written."""

from chalicelib import read
from chalicelib.aws import Account
from chalicelib.errors import FieldError, Invalid
from chalicelib.model import Desired


def check_declared(declared: str | None, demanded: str | None, account: Account) -> None:
    """Check that a boundary may be declared here.

    Args:
        declared: the ARN that the call names, if any.
        demanded: the ARN that this deployment demands of every environment, if any.

    Raises:
        Invalid: it is not the demanded one, or of another account or partition.
    """
    if declared is None:
        return
    if demanded is not None and declared != demanded:
        raise _invalid(f"this deployment demands {demanded}; leave it out or name that one")
    place = account.place
    _, partition, _, _, owner, _ = declared.split(":", 5)
    if partition != place.partition or owner not in (place.account_id, "aws"):
        raise _invalid(f"must be a policy of account {place.account_id} in {place.partition}")


def check_exists(desired: Desired, account: Account) -> None:
    """Check that the environment's boundary exists, if it has one.

    Raises:
        Invalid: there is no such policy.
    """
    boundary = desired.roles[0].permissions_boundary
    if boundary is not None and read.policy_head(account, boundary) is None:
        raise _invalid(f"there is no policy {boundary}")


def _invalid(message: str) -> Invalid:
    return Invalid([FieldError("permissions_boundary", message)])
