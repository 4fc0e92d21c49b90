"""What API Gateway itself refuses (no such route, not signed, not allowed), said as problem+json.

`chalice deploy` writes the whole API anew each time, which takes these answers away with it: this
step comes after it, and deploys the API once more where it had to put something back.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from typing import Any

from tools.deploy.target import Action, Actions, Target

_CONTENT_TYPE = {"gatewayresponse.header.Content-Type": "'application/problem+json'"}
_TEMPLATE = (
    '{"type":"urn:trivet:problem:request-refused","title":"Request refused",'
    '"status":STATUS,"detail":$context.error.messageString}'
)
_STATUS = {
    "MISSING_AUTHENTICATION_TOKEN": "403",
    "ACCESS_DENIED": "403",
    "DEFAULT_4XX": None,
    "DEFAULT_5XX": None,
}
"""What each answers with; `None` is whatever API Gateway answers with by itself."""


def steps(target: Target) -> Actions:
    """Yield what puts these answers in place."""
    api_id = target.api_id()
    doing = "api: say what API Gateway itself refuses as problem+json"
    if api_id is None:
        yield Action(doing, lambda: None)
        return
    client = target.client("apigateway")
    missing = [kind for kind in _STATUS if not _is_there(client, api_id, kind)]
    if missing:
        yield Action(doing, lambda: _put(client, api_id, target.stage, missing))


def wanted(kind: str) -> dict[str, Any]:
    """Return one of these answers, as API Gateway takes it."""
    status = _STATUS[kind]
    # It has no variable for the status that it answers with by itself: then that is left out.
    template = _TEMPLATE.replace('"status":STATUS,', f'"status":{status},' if status else "")
    answer: dict[str, Any] = {
        "responseParameters": _CONTENT_TYPE,
        "responseTemplates": {"application/json": template},
    }
    return answer | ({"statusCode": status} if status else {})


def _is_there(client: Any, api_id: str, kind: str) -> bool:
    try:
        found = client.get_gateway_response(restApiId=api_id, responseType=kind)
    except client.exceptions.NotFoundException:
        return False
    return all(found.get(key) == value for key, value in wanted(kind).items())


def _put(client: Any, api_id: str, stage: str, kinds: list[str]) -> None:
    for kind in kinds:
        client.put_gateway_response(restApiId=api_id, responseType=kind, **wanted(kind))
    client.create_deployment(restApiId=api_id, stageName=stage)
