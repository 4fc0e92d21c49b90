"""The OpenAPI 3.1 document, made from the very types that validate and answer."""

import re
from functools import cache
from typing import Any

import msgspec

from chalicelib import VERSION
from chalicelib.api import problems
from chalicelib.api.endpoints import ENDPOINTS, Endpoint
from chalicelib.api.problems import CONTENT_TYPE
from chalicelib.api.requests import name_type
from chalicelib.api.schemas import AccountId, Problem
from chalicelib.resources import policy, role, state_machine

_REF = "#/components/schemas/{name}"

_PROBLEMS = {
    400: "The body is not JSON, or not an object.",
    404: "There is no such environment or report.",
    409: "Foreign resources, another call at work, protection, or an AWS quota.",
    422: "Fields or query parameters are invalid; `errors` names each.",
    500: "Something unexpected; the log has it under the correlation id.",
    502: "AWS refuses Trivet, or what it asks.",
    503: "AWS throttles, fails or takes too long; call again after `Retry-After`.",
}
_WITH_RETRY_AFTER = (409, 503)


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document of all routes."""
    types = [
        kind
        for each in ENDPOINTS
        for kind in (each.body, each.query, *each.answers.values())
        if kind is not None
    ]
    _, schemas = msgspec.json.schema_components([*types, Problem], ref_template=_REF)
    # The limit follows from the templates, and the types are written before those are read; the
    # kinds of change from the classes in `resources/`, which the model knows nothing of.
    schemas["ChangeDocument"]["properties"]["kind"] = {"type": "string", "enum": _kinds()}
    schemas["Provision"]["properties"]["name"] = msgspec.json.schema(name_type())
    schemas["Problem"]["properties"]["type"] = {"type": "string", "enum": problems.TYPES}
    paths: dict[str, Any] = {}
    for each in ENDPOINTS:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Trivet",
            "version": VERSION,
            "description": "Makes the IAM roles of SageMaker and Step Functions environments, "
            "proves their wiring, and keeps them as declared. Requests are signed with SigV4.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey",
                    "name": "Authorization",
                    "in": "header",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                }
            },
        },
        "security": [{"sigv4": []}],
    }


def _kinds() -> list[str]:
    """Return every kind of change."""
    changes = (*role.CHANGES, *policy.CHANGES, *state_machine.CHANGES)
    return [each.kind for each in changes]


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint),
        "responses": {
            **{str(status): _answer(kind) for status, kind in endpoint.answers.items()},
            **{str(status): _problem(status) for status in endpoint.problems},
        },
    }
    if endpoint.body is not None:
        required = any(field.required for field in msgspec.structs.fields(endpoint.body))
        operation["requestBody"] = {"required": required, "content": _json(_ref(endpoint.body))}
    return operation


_PATH_TYPES: dict[str, Any] = {"name": None, "account_id": AccountId, "run_id": str, "profile": str}


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": msgspec.json.schema(_PATH_TYPES[name] or name_type()),
        }
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    for field in msgspec.structs.fields(endpoint.query):
        schema = msgspec.json.schema(field.type)
        found.append({"name": field.name, "in": "query", "required": False, "schema": schema})
    return found


def _answer(kind: Any) -> dict[str, Any]:
    schema = {"type": "object"} if kind is None else _ref(kind)
    return {"description": "Done.", "content": _json(schema)}


def _problem(status: int) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": _PROBLEMS[status],
        "content": {CONTENT_TYPE: {"schema": _ref(Problem)}},
    }
    if status in _WITH_RETRY_AFTER:
        described["headers"] = {
            "Retry-After": {
                "description": "Seconds after which to call again, where that helps.",
                "schema": {"type": "integer", "minimum": 1},
            }
        }
    return described


def _ref(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"$ref": _REF.format(name=kind.__name__)}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
