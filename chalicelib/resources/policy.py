"""What Trivet knows of a customer managed policy.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.accounts import Target
from chalicelib.aws.answers import call, code_of, found, translated
from chalicelib.errors import Conflict, Stale
from chalicelib.model import documents, explain
from chalicelib.model.actual import ActualPolicy
from chalicelib.model.change import Explanation
from chalicelib.model.desired import ENVIRONMENT_TAG, Document, ManagedPolicy
from chalicelib.resources import tags
from chalicelib.resources.change import DONE, AnyChange, Change, Foreign, Outcome, foreign_by_tags
from chalicelib.resources.creation import create
from chalicelib.resources.tags import IsIgnored

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import PolicyTypeDef


def head(target: Target, arn: str) -> "PolicyTypeDef | None":
    """Return GetPolicy's answer without the envelope, or `None` if there is no such policy."""
    answer = found(f"reading policy {arn}", target.iam.get_policy, PolicyArn=arn)
    return None if answer is None else answer["Policy"]


def read(target: Target, arn: str) -> ActualPolicy | None:
    """Return a policy with its tags, or `None` if there is none.

    Raises:
        Stale: it changed while it was read.
    """
    there = head(target, arn)
    if there is None:
        return None
    version = found(
        f"reading policy {arn}",
        target.iam.get_policy_version,
        PolicyArn=arn,
        VersionId=there["DefaultVersionId"],
    )
    if version is None:
        raise Stale(f"Policy {arn} changed while it was read. Call again to go on.")
    return ActualPolicy(
        name=there["PolicyName"],
        arn=arn,
        unique_id=there["PolicyId"],
        document=version["PolicyVersion"]["Document"],
        tags=tags.as_map(there.get("Tags")),
    )


def of_listing(listed: Mapping[str, Any]) -> ActualPolicy:
    """Return a policy as the account's bulk listing shows it: without its tags."""
    default = next(each for each in listed["PolicyVersionList"] if each["IsDefaultVersion"])
    return ActualPolicy(
        name=listed["Arn"].rsplit("/", 1)[-1],
        arn=listed["Arn"],
        unique_id=listed.get("PolicyId", ""),
        document=default["Document"],
        tags=None,
    )


def foreign(
    wanted: ManagedPolicy, held: ActualPolicy, environment: str, unique_id: str | None
) -> list[Foreign]:
    """Tell whether what has the policy's name is someone else's.

    Args:
        unique_id: as recorded, if it is.
    """
    if held.unique_id == unique_id:
        return []
    return foreign_by_tags(wanted.arn, held.tags, environment)


def differences(
    wanted: ManagedPolicy, held: ActualPolicy | None, ignored: IsIgnored
) -> Iterator[AnyChange]:
    """Return what differs in a policy."""
    if held is None:
        yield CreatePolicy.of(wanted)
        return
    for kind in (UpdatePolicy, TagPolicy, UntagPolicy):
        yield from kind.between(wanted, held, ignored)


class CreatePolicy(Change[Mapping[str, Any], None], frozen=True, kw_only=True):
    """A policy is missing."""

    kind = "create_policy"
    actions = ("iam:CreatePolicy",)
    events = ("DeletePolicy",)

    wanted: ManagedPolicy

    @classmethod
    def of(cls, wanted: ManagedPolicy) -> "CreatePolicy":
        """Return the change that makes this policy."""
        made = {
            "name": wanted.name,
            "description": wanted.description,
            "document": wanted.document,
            "tags": dict(wanted.tags),
        }
        return cls(wanted.role, wanted.arn, made, None, wanted=wanted)

    def apply(self, target: Target) -> Outcome:
        """Create it."""
        wanted = self.wanted

        def create_it() -> str:
            answer = target.iam.create_policy(
                PolicyName=wanted.name,
                Path="/",
                Description=wanted.description,
                PolicyDocument=documents.minified(wanted.document),
                Tags=tags.as_list(wanted.tags),
            )
            return answer["Policy"]["PolicyId"]

        return create(
            f"creating policy {wanted.name}",
            wanted,
            create_it,
            lambda: head(target, wanted.arn),
            "PolicyId",
        )

    def explain(self) -> Explanation:
        """Say that it is missing; with what it allows goes what it denies."""
        effect = explain.policy(self.wanted.document, None).effect
        return Explanation(f"policy {self.name} is missing", effect)


class UpdatePolicy(Change[Document, Document], frozen=True):
    """A policy's document differs: a new default version puts it right."""

    kind = "update_policy"
    actions = ("iam:CreatePolicyVersion", "iam:DeletePolicyVersion")
    events = ("SetDefaultPolicyVersion",)

    @classmethod
    def between(
        cls, wanted: ManagedPolicy, held: ActualPolicy, _: IsIgnored
    ) -> Iterator["UpdatePolicy"]:
        """Compare the documents."""
        if not documents.same_policy(wanted.document, held.document):
            yield cls(wanted.role, wanted.arn, wanted.document, held.document)

    def apply(self, target: Target) -> Outcome:
        """Make a new default version; where there are five, drop the oldest that is not default."""
        make, doing = target.iam.create_policy_version, f"updating policy {self.resource}"
        wanted: dict[str, Any] = {
            "PolicyArn": self.resource,
            "PolicyDocument": documents.minified(self.expected),
            "SetAsDefault": True,
        }
        try:
            make(**wanted)
            return DONE
        except (ClientError, BotoCoreError) as error:
            full = code_of(error) == "LimitExceeded" and _prune_oldest_version(
                target, self.resource
            )
            if not full:
                raise translated(error, doing) from error
        call(doing, make, **wanted)
        return DONE

    def explain(self) -> Explanation:
        """Name the statements that differ."""
        return explain.policy(self.expected, self.actual)


class TagPolicy(Change[Mapping[str, str], Mapping[str, str]], frozen=True):
    """Tags of a policy are missing or have other values."""

    kind = "tag_policy"
    actions = ("iam:TagPolicy",)

    @classmethod
    def between(
        cls, wanted: ManagedPolicy, held: ActualPolicy, _: IsIgnored
    ) -> Iterator["TagPolicy"]:
        """Compare the tags, where they were read."""
        if held.tags is not None and tags.lacking(wanted.tags, held.tags):
            yield cls(wanted.role, wanted.arn, dict(wanted.tags), dict(held.tags))

    @property
    def restores_ownership(self) -> bool:
        """Only what carries Trivet's tag may be changed."""
        return ENVIRONMENT_TAG not in self.actual

    def apply(self, target: Target) -> Outcome:
        """Set them."""
        wrong = tags.as_list(tags.lacking(self.expected, self.actual))
        call(
            f"tagging policy {self.resource}",
            target.iam.tag_policy,
            PolicyArn=self.resource,
            Tags=wrong,
        )
        return DONE

    def explain(self) -> Explanation:
        """Name the tags."""
        return explain.tags(self.expected, self.actual, list(self.expected))


class UntagPolicy(Change[Mapping[str, str], Mapping[str, str]], frozen=True, kw_only=True):
    """Someone put tags on a policy."""

    kind = "untag_policy"
    actions = ("iam:UntagPolicy",)

    keys: tuple[str, ...]

    @classmethod
    def between(
        cls, wanted: ManagedPolicy, held: ActualPolicy, ignored: IsIgnored
    ) -> Iterator["UntagPolicy"]:
        """Compare the tags, where they were read."""
        extra = tags.added(wanted.tags, held.tags or {}, ignored)
        if extra:
            expected, actual = dict(wanted.tags), dict(held.tags or {})
            yield cls(wanted.role, wanted.arn, expected, actual, "added", keys=tuple(extra))

    def apply(self, target: Target) -> Outcome:
        """Take them off."""
        doing = f"untagging policy {self.resource}"
        untag = target.iam.untag_policy
        call(doing, untag, PolicyArn=self.resource, TagKeys=list(self.keys))
        return DONE

    def explain(self) -> Explanation:
        """Name the tags."""
        return explain.tags(self.expected, self.actual, self.keys)


class DeletePolicy(Change[None, Mapping[str, Any]], frozen=True):
    """A policy that Trivet made is named by the declaration no more."""

    kind = "delete_policy"
    actions = ("iam:DeletePolicy", "iam:DeletePolicyVersion")

    own_roles: tuple[str, ...] = ()
    """The names of the environment's roles that it is on no more, whatever IAM still lists."""

    @classmethod
    def of(cls, role: str, held: ActualPolicy, own_roles: Iterable[str]) -> "DeletePolicy":
        """Return the change that takes this policy away."""
        gone = {"name": held.name, "document": held.document, "tags": dict(held.tags or {})}
        return cls(role, held.arn, None, gone, "left_over", own_roles=tuple(own_roles))

    def apply(self, target: Target) -> Outcome:
        """Delete it; by now nothing of the environment is attached to it.

        Raises:
            Conflict: someone else uses it.
        """
        # IAM lists the roles that it was detached from for some seconds more.
        own = {f"role {name}" for name in self.own_roles}
        others = [each for each in users(target, self.resource) if each not in own]
        if others:
            raise Conflict(
                f"Policy {self.resource} is not declared any more, and used by "
                f"{', '.join(others)}. Detach it there, then call again."
            )
        delete(target, self.resource)
        return DONE

    def explain(self) -> Explanation:
        """Name it; it counts for nobody once it is detached."""
        return Explanation(f"policy {self.name} is not declared any more", "none")


CHANGES: tuple[type[AnyChange], ...] = (
    CreatePolicy,
    UpdatePolicy,
    TagPolicy,
    UntagPolicy,
    DeletePolicy,
)
"""Every kind of change to a policy."""


def delete(target: Target, arn: str) -> None:
    """Delete a policy that is attached nowhere, its versions first.

    Raises:
        Stale: someone attached it meanwhile.
    """
    for version in versions(target, arn):
        if not version["IsDefaultVersion"]:
            _delete_version(target, arn, version["VersionId"])
    found(f"deleting policy {arn}", target.iam.delete_policy, PolicyArn=arn)


def users(target: Target, arn: str) -> list[str]:
    """Return who uses a policy, each as `role NAME`, `user NAME` or `group NAME`."""
    pages = target.iam.get_paginator("list_entities_for_policy")
    answer = found(
        f"listing who uses policy {arn}", lambda: pages.paginate(PolicyArn=arn).build_full_result()
    )
    return [
        f"{kind.lower()} {entity[f'{kind}Name']}"
        for kind in ("Role", "User", "Group")
        for entity in (answer or {}).get(f"Policy{kind}s", [])
    ]


def versions(target: Target, arn: str) -> list[Any]:
    """Return the versions of a policy; none where there is no such policy."""
    answer = found(
        f"listing the versions of policy {arn}", target.iam.list_policy_versions, PolicyArn=arn
    )
    return [] if answer is None else list(answer["Versions"])


def _prune_oldest_version(target: Target, arn: str) -> bool:
    """Delete the oldest version that is not the default; tell whether that made room.

    IAM's list may be some seconds old: it may lack the fifth that stands in the way, or still have
    one that this operation has deleted, and then it is the next one's turn.
    """
    oldest_first = sorted(
        (each for each in versions(target, arn) if not each["IsDefaultVersion"]),
        key=lambda each: (each["CreateDate"], int(each["VersionId"][1:])),
    )
    return any(_delete_version(target, arn, each["VersionId"]) for each in oldest_first)


def _delete_version(target: Target, arn: str, version: str) -> bool:
    """Delete a version; tell whether it was still there."""
    answer = found(
        f"deleting version {version} of policy {arn}",
        target.iam.delete_policy_version,
        PolicyArn=arn,
        VersionId=version,
    )
    return answer is not None
