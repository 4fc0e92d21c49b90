"""IAM's bulk listings in the form that AWS gives them, where moto's differ."""

import re
from urllib.parse import quote
from xml.etree import ElementTree

from botocore.awsrequest import AWSResponse

from . import answers
from .wire import Call, Deliver

_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
_LISTS = {
    "GetAccountAuthorizationDetails": ("RoleDetailList", "Policies"),
    "ListRoles": ("Roles",),
    "ListPolicies": ("Policies",),
}
_DOCUMENTS = ("AssumeRolePolicyDocument", "PolicyDocument", "Document")

ElementTree.register_namespace("", _NAMESPACE)


class AwsPages:
    """Pages of a few items with a Marker, policies with their names and ids, documents encoded.

    AWS may give fewer items than asked for, and none at all with more to come: every other page
    is empty.
    """

    def __init__(self, size: int, strangers: int = 0) -> None:
        """Set the items per page, and how many roles of others there are before ours."""
        self._size = size
        self._strangers = strangers
        self._ids: dict[str, str] = {}
        self._whole: dict[str, str] = {}
        self.markers: dict[str, list[str]] = {action: [] for action in _LISTS}
        """The Marker of each request, "" for none."""

    def learn_ids(self, policies: list[dict[str, str]]) -> None:
        """Give the policies' ids, which moto's GetAccountAuthorizationDetails leaves out."""
        self._ids = {policy["Arn"]: policy["PolicyId"] for policy in policies}

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        if call.action not in _LISTS:
            return deliver()
        marker = str(call.parameters.get("Marker", ""))
        self.markers[call.action].append(marker)
        if not marker:
            self._whole[call.action] = deliver().text
        answer = ElementTree.fromstring(self._whole[call.action])
        result = answer[0]
        items = [
            (parent, item)
            for name in _LISTS[call.action]
            for parent in result.findall(_tag(name))
            for item in self._with_strangers(name, list(parent))
        ]
        for parent, item in items:
            if item in list(parent):
                parent.remove(item)
        at, is_empty = (int(marker[1:]), marker[0] == "e") if marker else (0, False)
        page = [] if is_empty else items[at : at + self._size]
        for parent, item in page:
            parent.append(item)
            self._as_on_aws(item)
        _set(result, "IsTruncated", str(at + len(page) < len(items)).lower())
        if at + len(page) < len(items):
            _set(result, "Marker", f"{'p' if is_empty else 'e'}{at + len(page)}")
        text = ElementTree.tostring(answer, encoding="unicode")
        return answers.raw(call.url, 200, "text/xml", text)

    def _with_strangers(
        self, name: str, items: list[ElementTree.Element]
    ) -> list[ElementTree.Element]:
        if name not in ("RoleDetailList", "Roles") or not items:
            return items
        pattern = ElementTree.tostring(items[0], encoding="unicode")
        own = items[0].findtext(_tag("RoleName"), "")
        return [
            *(
                ElementTree.fromstring(re.sub(re.escape(own), f"stranger-{number}", pattern))
                for number in range(self._strangers)
            ),
            *items,
        ]

    def _as_on_aws(self, item: ElementTree.Element) -> None:
        arn = item.findtext(_tag("Arn"), "")
        if arn in self._ids:
            _set(item, "PolicyName", arn.rsplit("/", 1)[-1])
            _set(item, "PolicyId", self._ids[arn])
        for element in item.iter():
            text = element.text or ""
            if element.tag in map(_tag, _DOCUMENTS) and text.startswith("{"):
                element.text = quote(text, safe="")


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


def _set(parent: ElementTree.Element, name: str, text: str) -> None:
    found = parent.find(_tag(name))
    element = ElementTree.SubElement(parent, _tag(name)) if found is None else found
    element.text = text
