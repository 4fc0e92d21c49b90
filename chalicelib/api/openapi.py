"""The OpenAPI 3.1 document, made from the very types that validate and answer."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

import msgspec

from chalicelib import VERSION, catalogue, settings
from chalicelib.api import problems
from chalicelib.api.endpoints import ENDPOINTS, Endpoint
from chalicelib.api.glossary import FIELDS, PARAMETERS, TAGS, TIMES
from chalicelib.api.problems import CONTENT_TYPE
from chalicelib.api.requests import name_type
from chalicelib.api.schemas import AccountId, AccountStatus, Problem
from chalicelib.catalogue.files import Parameter
from chalicelib.model.change import Effect
from chalicelib.model.environment import CheckStatus, OnExtras, SmokeTestStatus
from chalicelib.model.history import HistoryOutcome, Operation
from chalicelib.model.report import Outcome, RunStatus, Trigger
from chalicelib.resources import policy, role, state_machine
from chalicelib.table.entry import ShownStatus

_REF = "#/components/schemas/{name}"

_NAMES: Mapping[str, str] = {
    "AccountDocument": "Account",
    "ChangeDocument": "Change",
    "ParameterDocument": "Parameter",
    "ProfileDocument": "Profile",
    "Report": "DriftRunSummary",
    "ReportPage": "DriftRun",
    "RoleName": "Role",
}
"""Names that read well in a generated client, where ours are chosen to tell things apart here."""

_ENUMS: Mapping[str, Any] = {
    "AccountStatus": AccountStatus,
    "CheckStatus": CheckStatus,
    "Effect": Effect,
    "EnvironmentStatus": ShownStatus,
    "HistoryOutcome": HistoryOutcome,
    "OnExtras": OnExtras,
    "Operation": Operation,
    "Outcome": Outcome,
    "RunStatus": RunStatus,
    "SmokeTestStatus": SmokeTestStatus,
    "Trigger": Trigger,
}

_PROBLEMS = {
    400: "The body is not JSON, not an object, has a key twice, or is over 64 KB.",
    403: "API Gateway's own: not signed, not allowed, or no such route.",
    404: "There is no such environment or report.",
    409: "Foreign resources, another call at work, protection, or an AWS quota.",
    422: "Fields or query parameters are invalid; `errors` names each.",
    500: "Something unexpected; the log has it under the correlation id.",
    502: "AWS refuses Trivet, or what it asks.",
    503: "AWS throttles, fails or takes too long; call again after `Retry-After`.",
}
_SERVERS = [
    {
        "url": "https://{api}.execute-api.{region}.amazonaws.com/{stage}",
        "description": "A deployment, as `chalice deploy` or `make deploy` names it.",
        "variables": {
            "api": {"default": "api-id", "description": "The id of the REST API."},
            "region": {"default": "us-east-1", "description": "Where it is deployed."},
            "stage": {"default": "api", "description": "Chalice's API Gateway stage."},
        },
    },
    {"url": "http://127.0.0.1:8000", "description": "`make serve`, `chalice local`."},
]
_WITH_RETRY_AFTER = (409, 503)

_PARAMETERS = "ParameterValues"
"""The schema of what a declaration may set of its profile's parameters."""

_EXAMPLES = Path(__file__).with_name("examples.json")
"""Answers that Trivet gave, by operation and status: `tests/contract/day.py` writes them."""


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document of all routes."""
    types = [
        kind
        for each in ENDPOINTS
        for kind in (each.body, *each.answers.values())
        if kind is not None
    ]
    _, found = msgspec.json.schema_components([*types, Problem], ref_template=_REF)
    # These follow from the templates, and the types are written before those are read.
    found["Provision"]["properties"]["name"] = msgspec.json.schema(name_type())
    for body in ("Provision", "Declare"):
        found[body]["properties"]["parameters"] = {"$ref": _REF.format(name=_PARAMETERS)}
    found[_PARAMETERS] = _profile_parameters()
    # The kinds of change follow from the classes in `resources/`, which the model knows nothing of.
    found["ChangeDocument"]["properties"]["kind"] = {"type": "string", "enum": sorted(_kinds())}
    found["Problem"]["properties"]["type"] = {"$ref": _REF.format(name="ProblemType")}
    schemas = {_NAMES.get(name, name): _named(schema) for name, schema in found.items()}
    for name, schema in schemas.items():
        _describe(name, schema)
    schemas |= {name: {"type": "string", "enum": values} for name, values in _enums().items()}
    schemas["ProblemType"] = {"type": "string", "enum": problems.TYPES}
    examples = _examples()
    paths: dict[str, Any] = {}
    for each in ENDPOINTS:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, examples)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Trivet",
            "version": VERSION,
            "description": "Makes the IAM roles of SageMaker and Step Functions environments, "
            "proves their wiring, and keeps them as declared. Requests are signed with SigV4.",
        },
        "servers": _SERVERS,
        "tags": [{"name": name, "description": said} for name, said in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "examples": examples,
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


def _profile_parameters() -> dict[str, Any]:
    """Return what a declaration may set: the parameters of all profiles that it may name."""
    loaded = catalogue.load(allowed=settings.current().profiles)
    found: dict[str, list[dict[str, Any]]] = {}
    for profile in loaded.offered:
        for name, each in profile.parameters.items():
            found.setdefault(name, []).append(_profile_parameter(profile.name, each))
    return {
        "type": "object",
        "description": "Values of the profile's parameters; `GET /profiles` has them by profile.",
        "properties": {
            name: several[0] if len(several) == 1 else {"anyOf": several}
            for name, several in found.items()
        },
        "additionalProperties": False,
    }


def _profile_parameter(profile: str, parameter: Parameter) -> dict[str, Any]:
    value = {"type": "string", "pattern": f"^(?:{parameter.pattern})$"}
    described = (
        f"Of the profile {profile}. {parameter.description} "
        f"Where it is left out: {json.dumps(parameter.default)}."
    )
    if isinstance(parameter.default, str):
        return {**value, "description": described}
    return {"type": "array", "items": value, "description": described}


def _examples() -> dict[str, Any]:
    """Return every example, by the operation's name and the status."""
    return {
        f"{name}{status}": {"summary": "An answer; of lists of documents the first.", "value": body}
        for name, answers in json.loads(_EXAMPLES.read_text()).items()
        for status, body in answers.items()
    }


def _kinds() -> list[str]:
    """Return every kind of change."""
    changes = (*role.CHANGES, *policy.CHANGES, *state_machine.CHANGES)
    return [each.kind for each in changes]


def _operation(endpoint: Endpoint, examples: Mapping[str, Any]) -> dict[str, Any]:
    responses = {
        **{status: _answer(kind) for status, kind in endpoint.answers.items()},
        **{status: _problem(status) for status in sorted({*endpoint.problems, 403})},
    }
    for status, response in responses.items():
        # An account's environments answer as home's do.
        example = f"{endpoint.name.removesuffix('InAccount')}{status}"
        [content] = response["content"].values()
        if example in examples:
            content["examples"] = {"answer": {"$ref": f"#/components/examples/{example}"}}
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint),
        "responses": {str(status): response for status, response in responses.items()},
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
        # `None` is a parameter that is left out: a query has no null.
        [sent] = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
        found.append(
            {
                "name": field.name,
                "in": "query",
                "required": False,
                "description": PARAMETERS[field.name],
                "schema": _named(sent),
            }
        )
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
    return {"$ref": _REF.format(name=_NAMES.get(kind.__name__, kind.__name__))}


def _enums() -> dict[str, list[str]]:
    enums = {name: sorted(get_args(kind)) for name, kind in _ENUMS.items()}
    return {"ChangeKind": sorted(_kinds()), **enums}


def _named(schema: Any) -> Any:
    """Return the same schema with the names of the document, its enumerations by reference."""
    if isinstance(schema, list):
        return [_named(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return {**schema, "$ref": _REF.format(name=_NAMES.get(name, name))}
    values = sorted(schema["enum"], key=str) if "enum" in schema else None
    for name, known in _enums().items():
        if values == known:
            rest = {key: value for key, value in schema.items() if key not in ("enum", "type")}
            return {**rest, "$ref": _REF.format(name=name)}
    return {key: _named(value) for key, value in schema.items()}


def _describe(name: str, schema: dict[str, Any]) -> None:
    """Say what each field means, and which are times."""
    schema["title"] = name
    for field, described in schema.get("properties", {}).items():
        said = FIELDS.get(f"{name}.{field}", FIELDS.get(field))
        if said is not None:
            described.setdefault("description", said)
        if field in TIMES:
            texts = [each for each in (described, *described.get("anyOf", [])) if _is_text(each)]
            for each in texts:
                each["format"] = "date-time"


def _is_text(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "string"


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
