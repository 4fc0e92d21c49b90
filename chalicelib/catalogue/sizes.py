"""IAM's limits on the length of documents, held against a rendered environment.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from chalicelib.catalogue.files import RoleTemplate
from chalicelib.model import documents
from chalicelib.model.desired import Desired, Document

_TRUST_POLICY_LIMIT = 2_048
_MANAGED_POLICY_LIMIT = 6_144
_INLINE_POLICIES_LIMIT = 10_240


def problems(templates: Sequence[RoleTemplate], rendered: Desired) -> Iterator[str]:
    """Return what is too long in an environment, or has come to nothing, with the file named.

    Args:
        templates: the roles' templates, in the order of the environment's roles.
        rendered: the environment.
    """
    for template, role in zip(templates, rendered.roles, strict=True):
        content = template.content
        trust = template.documents[content.trust_policy].file
        yield from _of_document(trust, role.trust_policy, _TRUST_POLICY_LIMIT)
        inline = sum(documents.size(document) for document in role.inline_policies.values())
        if inline > _INLINE_POLICIES_LIMIT:
            yield (
                f"{template.file}: the inline policies have up to {inline} characters; "
                f"IAM allows {_INLINE_POLICIES_LIMIT} in all"
            )
        managed = [policy.document for policy in rendered.policies if policy.role == role.key]
        own = [*role.inline_policies.values(), *managed]
        sources = content.inline_policies + content.customer_managed_policies
        for source, document in zip(sources, own, strict=True):
            is_inline = source in content.inline_policies
            limit = _INLINE_POLICIES_LIMIT if is_inline else _MANAGED_POLICY_LIMIT
            yield from _of_document(template.documents[source.document].file, document, limit)


def _of_document(file: Path, document: Document, limit: int) -> Iterator[str]:
    size = documents.size(document)
    if size > limit:
        yield f"{file}: up to {size} characters; IAM allows {limit}"
    if not document.get("Statement"):
        yield f"{file}: no statement is left in it"
