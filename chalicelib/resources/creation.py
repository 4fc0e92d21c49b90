"""A role or policy created, or found to be created already and not heard of."""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws import answers
from chalicelib.errors import Conflict
from chalicelib.model.desired import ENVIRONMENT_TAG, ManagedPolicy, Role
from chalicelib.resources import tags
from chalicelib.resources.change import Outcome, will_be_fresh


def create(
    doing: str,
    wanted: Role | ManagedPolicy,
    create_it: Callable[[], str],
    read: Callable[[], Mapping[str, Any] | None],
    id_key: str,
) -> Outcome:
    """Create a role or policy.

    A lost answer to a creation that took effect looks just like someone else's resource when it is
    sent again: the tags tell them apart.

    Args:
        create_it: creates it, and returns its unique id.
        read: returns what has its name, `None` where IAM shows nothing.

    Raises:
        Conflict: something that IAM does not show under this very name is in the way.
        TrivetError: it was not created; `Stale` where it is someone else's.
    """
    will_be_fresh(wanted.name, wanted.arn)
    try:
        return Outcome(create_it())
    except (ClientError, BotoCoreError) as error:
        if answers.code_of(error) not in answers.EXISTS:
            raise answers.translated(error, doing) from error
        there = read()
        if there is None:
            raise Conflict(
                f"IAM says that {wanted.arn} exists, and shows none, found when {doing}. Its name "
                "may differ in case, or it may be at another path. Remove or rename what is in "
                "the way, then call again."
            ) from error
        if tags.as_map(there.get("Tags")).get(ENVIRONMENT_TAG) != wanted.tags[ENVIRONMENT_TAG]:
            raise answers.translated(error, doing) from error
        return Outcome(there[id_key], look_again=True)
