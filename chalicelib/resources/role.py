"""What Trivet knows of a role.

Limits and behaviour: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html,
https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.aws.accounts import Target
from chalicelib.aws.answers import call, found, withdrawn
from chalicelib.errors import Rejected, Stale
from chalicelib.model import documents, explain
from chalicelib.model.actual import ActualRole
from chalicelib.model.change import Explanation
from chalicelib.model.desired import ENVIRONMENT_TAG, Document, Role
from chalicelib.resources import policy, tags
from chalicelib.resources.change import (
    DONE,
    AnyChange,
    Change,
    Foreign,
    Origin,
    Outcome,
    foreign_by_tags,
)
from chalicelib.resources.creation import create
from chalicelib.resources.tags import IsIgnored
from chalicelib.work import threads

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import RoleTypeDef

DEFAULT_SESSION = 3600
"""Seconds: what IAM does not show is this."""


class Context(msgspec.Struct, frozen=True):
    """What is looked at beside a role."""

    ignored: IsIgnored
    """Which tags are nobody's drift."""
    made: frozenset[str]
    """ARNs of the managed policies and names of the inline ones that Trivet last put on it."""
    documents: Mapping[str, Document]
    """What the environment's own managed policies say, by ARN."""


def head(target: Target, name: str) -> "RoleTypeDef | None":
    """Return GetRole's answer without the envelope, or `None` if there is no such role."""
    answer = found(f"reading role {name}", target.iam.get_role, RoleName=name)
    return None if answer is None else answer["Role"]


def read_all(target: Target, names: list[str]) -> list[ActualRole]:
    """Return those of these roles that exist, each with all that it has.

    Two round trips: heads and listings first, then the inline documents that they name.
    """
    heads = [threads.start(head, target, name) for name in names]
    # Made here once: the first time, botocore looks through its files, slowly in many threads.
    attachments = target.iam.get_paginator("list_attached_role_policies")
    inline_names = target.iam.get_paginator("list_role_policies")
    attached = [threads.start(_listing, attachments, "AttachedPolicies", name) for name in names]
    inline = [threads.start(_listing, inline_names, "PolicyNames", name) for name in names]
    documents_of = [
        [threads.start(_inline_policy, target, name, each) for each in policy_names]
        for name, policy_names in zip(names, threads.waited(inline), strict=True)
    ]
    parts = zip(threads.waited(heads), threads.waited(attached), documents_of, strict=True)
    return [
        of_parts(there, there.get("MaxSessionDuration"), managed, threads.waited(inline_documents))
        for there, managed, inline_documents in parts
        if there is not None
    ]


def of_parts(
    there: Mapping[str, Any],
    max_session_duration: int | None,
    managed_policies: Iterable[Mapping[str, str]],
    inline_policies: Iterable[Mapping[str, Any] | None],
    description: str | None = None,
) -> ActualRole:
    """Return a role put together from what IAM's answers say of it."""
    return ActualRole(
        name=there["RoleName"],
        arn=there["Arn"],
        path=there["Path"],
        unique_id=there["RoleId"],
        description=there.get("Description", "") if description is None else description,
        max_session_duration=max_session_duration or DEFAULT_SESSION,
        trust_policy=there["AssumeRolePolicyDocument"],
        managed_policies=frozenset(each["PolicyArn"] for each in managed_policies),
        inline_policies={
            each["PolicyName"]: each["PolicyDocument"]
            for each in inline_policies
            if each is not None
        },
        tags=tags.as_map(there.get("Tags")),
        permissions_boundary=there.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
    )


def attached(target: Target, name: str) -> list[str]:
    """Return the ARNs of the managed policies of a role; none where there is no such role."""
    pages = target.iam.get_paginator("list_attached_role_policies")
    return [each["PolicyArn"] for each in _listing(pages, "AttachedPolicies", name)]


def inline_names(target: Target, name: str) -> list[str]:
    """Return the names of a role's inline policies; none where there is no such role."""
    return list(_listing(target.iam.get_paginator("list_role_policies"), "PolicyNames", name))


def instance_profiles(target: Target, name: str) -> list[str]:
    """Return the names of the instance profiles that hold a role."""
    pages = target.iam.get_paginator("list_instance_profiles_for_role")
    return [each["InstanceProfileName"] for each in _listing(pages, "InstanceProfiles", name)]


def _listing(pages: Any, key: str, role: str) -> list[Any]:
    """Return a role's paginated listing whole; empty where there is no such role."""
    doing = f"reading role {role} ({key})"
    answer = found(doing, lambda: pages.paginate(RoleName=role).build_full_result())
    return [] if answer is None else list(answer[key])


def _inline_policy(target: Target, role: str, name: str) -> Any:
    doing = f"reading inline policy {name} of role {role}"
    return found(doing, target.iam.get_role_policy, RoleName=role, PolicyName=name)


def foreign(
    wanted: Role, held: ActualRole, environment: str, unique_id: str | None
) -> list[Foreign]:
    """Tell whether what has the role's name is someone else's.

    Args:
        unique_id: as recorded, if it is.
    """
    if held.arn != wanted.arn:
        reason = (
            f"its ARN differs in path or case from {wanted.arn}, which only a new role can have"
        )
        return [Foreign(held.arn, reason, adoptable=False)]
    if held.unique_id == unique_id:
        return []
    return foreign_by_tags(held.arn, held.tags, environment)


def differences(wanted: Role, held: ActualRole | None, context: Context) -> Iterator[AnyChange]:
    """Return what differs in a role, in the order in which it is put right."""
    if held is None:
        yield from _missing(wanted)
        return
    for kind in _COMPARED:
        yield from kind.between(wanted, held, context)


def _missing(wanted: Role) -> Iterator[AnyChange]:
    yield CreateRole.of(wanted)
    for name, document in wanted.inline_policies.items():
        yield PutInlinePolicy.of(wanted, name, document, None)
    for arn in wanted.managed_policies:
        yield AttachManagedPolicy(wanted.key, wanted.arn, arn, None)


class CreateRole(Change[Mapping[str, Any], None], frozen=True, kw_only=True):
    """A role is missing."""

    kind = "create_role"
    actions = ("iam:CreateRole",)
    events = ("DeleteRole", "AcquireRole")

    wanted: Role

    @classmethod
    def of(cls, wanted: Role) -> "CreateRole":
        """Return the change that makes this role."""
        made = {
            "name": wanted.name,
            "description": wanted.description,
            "max_session_duration": wanted.max_session_duration,
            "trust_policy": wanted.trust_policy,
            "tags": dict(wanted.tags),
            "permissions_boundary": wanted.permissions_boundary,
        }
        return cls(wanted.key, wanted.arn, made, None, wanted=wanted)

    def apply(self, target: Target) -> Outcome:
        """Create it, bounded and tagged from the start."""
        wanted, boundary = self.wanted, self.wanted.permissions_boundary

        def create_it() -> str:
            answer = target.iam.create_role(
                RoleName=wanted.name,
                Path="/",
                Description=wanted.description,
                MaxSessionDuration=wanted.max_session_duration,
                AssumeRolePolicyDocument=documents.minified(wanted.trust_policy),
                Tags=tags.as_list(wanted.tags),
                **({} if boundary is None else {"PermissionsBoundary": boundary}),
            )
            return answer["Role"]["RoleId"]

        doing = f"creating role {wanted.name}"
        return create(doing, wanted, create_it, lambda: head(target, wanted.name), "RoleId")

    def explain(self) -> Explanation:
        """Say what is missing."""
        return Explanation(f"role {self.name} is missing", "narrowed")


class TagRole(Change[Mapping[str, str], Mapping[str, str]], frozen=True):
    """Tags of a role are missing or have other values."""

    kind = "tag_role"
    actions = ("iam:TagRole",)

    @classmethod
    def between(cls, wanted: Role, held: ActualRole, _: Context) -> Iterator["TagRole"]:
        """Compare the tags."""
        if tags.lacking(wanted.tags, held.tags):
            yield cls(wanted.key, wanted.arn, dict(wanted.tags), dict(held.tags))

    @property
    def restores_ownership(self) -> bool:
        """Only what carries Trivet's tag may be changed."""
        return ENVIRONMENT_TAG not in self.actual

    def apply(self, target: Target) -> Outcome:
        """Set them."""
        wrong = tags.as_list(tags.lacking(self.expected, self.actual))
        call(f"tagging role {self.name}", target.iam.tag_role, RoleName=self.name, Tags=wrong)
        return DONE

    def explain(self) -> Explanation:
        """Name the tags."""
        return explain.tags(self.expected, self.actual, list(self.expected))


class UntagRole(Change[Mapping[str, str], Mapping[str, str]], frozen=True, kw_only=True):
    """Someone put tags on a role."""

    kind = "untag_role"
    actions = ("iam:UntagRole",)

    keys: tuple[str, ...]

    @classmethod
    def between(cls, wanted: Role, held: ActualRole, context: Context) -> Iterator["UntagRole"]:
        """Compare the tags."""
        extra = tuple(tags.added(wanted.tags, held.tags, context.ignored))
        if extra:
            expected, actual = dict(wanted.tags), dict(held.tags)
            yield cls(wanted.key, wanted.arn, expected, actual, "added", keys=extra)

    def apply(self, target: Target) -> Outcome:
        """Take them off."""
        untag = target.iam.untag_role
        call(f"untagging role {self.name}", untag, RoleName=self.name, TagKeys=list(self.keys))
        return DONE

    def explain(self) -> Explanation:
        """Name the tags."""
        return explain.tags(self.expected, self.actual, self.keys)


class PutPermissionsBoundary(Change[str, str | None], frozen=True):
    """A role has another boundary than the declared one, or none."""

    kind = "put_permissions_boundary"
    actions = ("iam:PutRolePermissionsBoundary",)
    events = ("DeleteRolePermissionsBoundary",)

    @classmethod
    def between(
        cls, wanted: Role, held: ActualRole, _: Context
    ) -> Iterator["PutPermissionsBoundary"]:
        """Compare the boundaries, where one is declared."""
        boundary = wanted.permissions_boundary
        if boundary is not None and boundary != held.permissions_boundary:
            yield cls(wanted.key, wanted.arn, boundary, held.permissions_boundary)

    @property
    def restores_ownership(self) -> bool:
        """Only what carries the boundary may be changed."""
        return True

    def apply(self, target: Target) -> Outcome:
        """Put it on."""
        call(
            f"putting permissions boundary {self.expected} on role {self.name}",
            target.iam.put_role_permissions_boundary,
            RoleName=self.name,
            PermissionsBoundary=self.expected,
        )
        return DONE

    def explain(self) -> Explanation:
        """Name both."""
        return explain.boundary(self.expected, self.actual)


class DeletePermissionsBoundary(Change[None, str], frozen=True):
    """A role has a boundary, and none is declared."""

    kind = "delete_permissions_boundary"
    actions = ("iam:DeleteRolePermissionsBoundary",)
    events = ("PutRolePermissionsBoundary",)

    @classmethod
    def between(
        cls, wanted: Role, held: ActualRole, _: Context
    ) -> Iterator["DeletePermissionsBoundary"]:
        """Compare the boundaries, where none is declared."""
        if wanted.permissions_boundary is None and held.permissions_boundary is not None:
            yield cls(wanted.key, wanted.arn, None, held.permissions_boundary)

    def apply(self, target: Target) -> Outcome:
        """Take it off."""
        doing = f"taking the permissions boundary off role {self.name}"
        found(doing, target.iam.delete_role_permissions_boundary, RoleName=self.name)
        return DONE

    def explain(self) -> Explanation:
        """Name it."""
        return explain.boundary(None, self.actual)


class UpdateTrustPolicy(Change[Document, Document], frozen=True):
    """Others may assume a role than is declared."""

    kind = "update_trust_policy"
    actions = ("iam:UpdateAssumeRolePolicy",)

    @classmethod
    def between(cls, wanted: Role, held: ActualRole, _: Context) -> Iterator["UpdateTrustPolicy"]:
        """Compare the trust policies."""
        if not documents.same_policy(wanted.trust_policy, held.trust_policy):
            yield cls(wanted.key, wanted.arn, wanted.trust_policy, held.trust_policy)

    def apply(self, target: Target) -> Outcome:
        """Put the declared one back."""
        call(
            f"updating the trust policy of role {self.name}",
            target.iam.update_assume_role_policy,
            RoleName=self.name,
            PolicyDocument=documents.minified(self.expected),
        )
        return DONE

    def explain(self) -> Explanation:
        """Name the principals."""
        return explain.trust(self.expected, self.actual)


class UpdateRole(Change[Mapping[str, Any], Mapping[str, Any]], frozen=True):
    """A role's description or session length differs."""

    kind = "update_role"
    actions = ("iam:UpdateRole",)
    events = ("UpdateRoleDescription",)

    @classmethod
    def between(cls, wanted: Role, held: ActualRole, _: Context) -> Iterator["UpdateRole"]:
        """Compare both."""
        expected = _settings(wanted.description, wanted.max_session_duration)
        actual = _settings(held.description, held.max_session_duration)
        if expected != actual:
            yield cls(wanted.key, wanted.arn, expected, actual)

    def apply(self, target: Target) -> Outcome:
        """Set both."""
        call(
            f"updating role {self.name}",
            target.iam.update_role,
            RoleName=self.name,
            Description=self.expected["description"],
            MaxSessionDuration=self.expected["max_session_duration"],
        )
        return DONE

    def explain(self) -> Explanation:
        """Say what they are and should be."""
        return explain.settings(self.expected, self.actual)


def _settings(description: str, max_session_duration: int) -> dict[str, Any]:
    # IAM trims descriptions, so that space around one is no difference.
    return {"description": description.strip(), "max_session_duration": max_session_duration}


class PutInlinePolicy(Change[Mapping[str, Any], Mapping[str, Any] | None], frozen=True):
    """A role's inline policy is missing or differs."""

    kind = "put_inline_policy"
    actions = ("iam:PutRolePolicy",)

    @classmethod
    def of(
        cls, wanted: Role, name: str, document: Document, there: Document | None
    ) -> "PutInlinePolicy":
        """Return the change that puts this policy on the role."""
        actual = None if there is None else {"name": name, "document": there}
        return cls(wanted.key, wanted.arn, {"name": name, "document": document}, actual)

    @classmethod
    def between(cls, wanted: Role, held: ActualRole, _: Context) -> Iterator["PutInlinePolicy"]:
        """Compare those that are declared."""
        for name, document in wanted.inline_policies.items():
            there = held.inline_policies.get(name)
            if there is None or not documents.same_policy(document, there):
                yield cls.of(wanted, name, document, there)

    def apply(self, target: Target) -> Outcome:
        """Put it."""
        call(
            f"putting inline policy {self.expected['name']} on role {self.name}",
            target.iam.put_role_policy,
            RoleName=self.name,
            PolicyName=self.expected["name"],
            PolicyDocument=documents.minified(self.expected["document"]),
        )
        return DONE

    def explain(self) -> Explanation:
        """Name the statements that differ."""
        there = None if self.actual is None else self.actual["document"]
        return explain.inline(self.expected["name"], self.expected["document"], there)


class DeleteInlinePolicy(Change[None, Mapping[str, Any]], frozen=True):
    """A role has an inline policy that is not declared."""

    kind = "delete_inline_policy"
    actions = ("iam:DeleteRolePolicy",)

    @classmethod
    def between(
        cls, wanted: Role, held: ActualRole, context: Context
    ) -> Iterator["DeleteInlinePolicy"]:
        """Look for those that are not declared."""
        for name, document in sorted(held.inline_policies.items()):
            if name not in wanted.inline_policies:
                there = {"name": name, "document": document}
                origin: Origin = "left_over" if name in context.made else "added"
                yield cls(wanted.key, wanted.arn, None, there, origin=origin)

    def apply(self, target: Target) -> Outcome:
        """Delete it."""
        found(
            f"deleting inline policy {self.actual['name']} of role {self.name}",
            target.iam.delete_role_policy,
            RoleName=self.name,
            PolicyName=self.actual["name"],
        )
        return DONE

    def explain(self) -> Explanation:
        """Say what it allows."""
        return explain.inline(self.actual["name"], None, self.actual["document"])


class AttachManagedPolicy(Change[str, None], frozen=True):
    """A managed policy is not attached."""

    kind = "attach_managed_policy"
    actions = ("iam:AttachRolePolicy",)

    says: Document | None = None
    """The policy's document, if it is the environment's own."""

    @classmethod
    def between(
        cls, wanted: Role, held: ActualRole, context: Context
    ) -> Iterator["AttachManagedPolicy"]:
        """Look for those that are declared and not there."""
        for arn in wanted.managed_policies:
            if arn not in held.managed_policies:
                yield cls(wanted.key, wanted.arn, arn, None, says=context.documents.get(arn))

    def apply(self, target: Target) -> Outcome:
        """Attach it."""
        doing = f"attaching {self.expected} to role {self.name}"
        attach = target.iam.attach_role_policy
        try:
            call(doing, attach, RoleName=self.name, PolicyArn=self.expected)
        except Stale as error:
            # NoSuchEntity is said of the role and of the policy alike.
            if ":iam::aws:" in self.expected and policy.head(target, self.expected) is None:
                raise Rejected(f"{withdrawn(self.expected)} Found when {doing}.") from error
            raise
        return DONE

    def explain(self) -> Explanation:
        """Name it; with what it allows goes what it denies."""
        told = explain.attachment(self.expected, None)
        if self.says is None:
            return told
        return Explanation(told.summary, explain.policy(self.says, None).effect)


class DetachManagedPolicy(Change[None, str], frozen=True):
    """A managed policy is attached that is not declared."""

    kind = "detach_managed_policy"
    actions = ("iam:DetachRolePolicy",)

    @classmethod
    def between(
        cls, wanted: Role, held: ActualRole, context: Context
    ) -> Iterator["DetachManagedPolicy"]:
        """Look for those that are there and not declared."""
        for arn in sorted(held.managed_policies.difference(wanted.managed_policies)):
            origin: Origin = "left_over" if arn in context.made else "added"
            yield cls(wanted.key, wanted.arn, None, arn, origin=origin)

    def apply(self, target: Target) -> Outcome:
        """Detach it."""
        doing = f"detaching {self.actual} from role {self.name}"
        detach = target.iam.detach_role_policy
        found(doing, detach, RoleName=self.name, PolicyArn=self.actual)
        return DONE

    def explain(self) -> Explanation:
        """Name it."""
        return explain.attachment(None, self.actual)


_COMPARED = (
    UpdateTrustPolicy,
    UpdateRole,
    TagRole,
    UntagRole,
    PutPermissionsBoundary,
    DeletePermissionsBoundary,
    PutInlinePolicy,
    DeleteInlinePolicy,
    AttachManagedPolicy,
    DetachManagedPolicy,
)
"""What a role that is there is compared by. A new kind of drift is a class here."""

CHANGES: tuple[type[AnyChange], ...] = (CreateRole, *_COMPARED)
"""Every kind of change to a role."""


def delete(target: Target, name: str) -> list[str]:
    """Delete a role that no instance profile holds, with all that is attached to it.

    Returns:
        The ARNs of the managed policies that were detached from it.

    Raises:
        Stale: someone attached something meanwhile.
    """
    arns = attached(target, name)
    detach, take_away = target.iam.detach_role_policy, target.iam.delete_role_policy
    for arn in arns:
        found(f"detaching {arn} from role {name}", detach, RoleName=name, PolicyArn=arn)
    for inline in inline_names(target, name):
        doing = f"deleting inline policy {inline} of role {name}"
        found(doing, take_away, RoleName=name, PolicyName=inline)
    found(f"deleting role {name}", target.iam.delete_role, RoleName=name)
    return arns
