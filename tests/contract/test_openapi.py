"""The OpenAPI document: valid, complete, and not at odds with the app."""

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from chalice.app import IAMAuthorizer
from chalice.deploy.swagger import SwaggerGenerator
from openapi_spec_validator import OpenAPIV31SpecValidator

from app import app
from chalicelib.api.glossary import FIELDS
from tests.kit.http import Api
from tests.kit.names import ROOT
from tests.kit.wire import Wire

# The document is of no account.
pytestmark = pytest.mark.home

AT_HOME = {
    ("POST", "/environments"),
    ("PUT", "/environments/{name}"),
    ("GET", "/environments"),
    ("GET", "/environments/{name}"),
    ("POST", "/environments/{name}/adopt"),
    ("GET", "/environments/{name}/drift"),
    ("GET", "/environments/{name}/history"),
    ("POST", "/environments/{name}/pause"),
    ("DELETE", "/environments/{name}/pause"),
    ("DELETE", "/environments/{name}/deletion-protection"),
    ("POST", "/environments/{name}/reapply"),
    ("POST", "/environments/{name}/smoke-test"),
    ("DELETE", "/environments/{name}"),
}
ROUTES = {
    *AT_HOME,
    *((method, f"/accounts/{{account_id}}{path}") for method, path in AT_HOME),
    ("GET", "/accounts"),
    ("PUT", "/accounts/{account_id}"),
    ("GET", "/accounts/{account_id}"),
    ("DELETE", "/accounts/{account_id}"),
    ("POST", "/drift-runs"),
    ("GET", "/drift-runs"),
    ("GET", "/drift-runs/{run_id}"),
    ("GET", "/drift-runs/latest"),
    ("GET", "/profiles"),
    ("GET", "/profiles/{profile}"),
    ("GET", "/openapi.json"),
    ("GET", "/health"),
}
CREATING = {
    ("POST", "/environments"),
    ("PUT", "/environments/{name}"),
    ("POST", "/environments/{name}/adopt"),
}
SUCCESSES = {
    **{
        (method, f"{account}{path}"): {"200", "201"}
        for method, path in CREATING
        for account in ("", "/accounts/{account_id}")
    },
    ("PUT", "/accounts/{account_id}"): {"200", "201"},
    ("POST", "/drift-runs"): {"200", "202"},
}
MAY_LACK = {("POST", "/drift-runs"), ("PUT", "/accounts/{account_id}")}


@pytest.fixture(scope="module")
def document() -> Any:
    # No AWS: the document needs none.
    return Api(Wire()).get("/openapi.json").body


def test_document_is_valid_openapi_3_1(document: Any) -> None:
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_document_and_app_have_the_contracts_routes(document: Any) -> None:
    described = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    served = {(method, path) for path, methods in app.routes.items() for method in methods}

    assert described == served == ROUTES


def test_every_route_asks_for_aws_iam() -> None:
    for methods in app.routes.values():
        for route in methods.values():
            assert isinstance(route.authorizer, IAMAuthorizer)


def test_api_gateway_is_told_to_ask_for_aws_iam() -> None:
    generator = SwaggerGenerator("us-east-1", {"api_handler_arn": "arn:x"})
    swagger = generator.generate_swagger(app)

    operations = [
        (path, method, operation)
        for path, methods in swagger["paths"].items()
        for method, operation in methods.items()
    ]
    assert {(method.upper(), path) for path, method, _ in operations} == ROUTES
    for _, _, operation in operations:
        [security] = operation["security"]
        [name] = security
        definition = swagger["securityDefinitions"][name]
        assert definition["x-amazon-apigateway-authtype"] == "awsSigv4"


def test_answers_described_are_those_of_the_contract(document: Any) -> None:
    for method, path in ROUTES:
        responses = document["paths"][path][method.lower()]["responses"]
        good = {status for status in responses if status < "300"}
        assert good == SUCCESSES.get((method, path), {"200"})
        assert {"422", "500", "502", "503"} <= set(responses)
        names_one = "{" in path or path == "/drift-runs/latest"
        assert ("404" in responses) == (
            names_one and (method, path) not in CREATING and (method, path) not in MAY_LACK
        )
        assert "403" in responses
        for status, response in responses.items():
            [content_type] = response["content"]
            problem = status >= "400"
            assert content_type == ("application/problem+json" if problem else "application/json")


def test_requests_described_are_those_of_the_contract(document: Any) -> None:
    schemas = document["components"]["schemas"]
    # The defaults of a declaration hold for a new environment alone: they are no schema's.
    kept = {
        *("profile", "parameters", "tags", "permissions_boundary", "on_extras"),
        "deletion_protection",
    }
    defaults = {"dry_run": False, "wait": 20}
    for schema, required in (("Provision", ["name"]), ("Declare", [])):
        described = schemas[schema]
        assert described.get("required", []) == required
        assert described["additionalProperties"] is False
        assert set(described["properties"]) == {*kept, *defaults, *required}
        for field, default in defaults.items():
            assert described["properties"][field]["default"] == default
        assert not [each for each in kept if "default" in described["properties"][each]]
    wait = schemas["RunSmokeTest"]["properties"]["wait"]
    assert (wait["minimum"], wait["maximum"], wait["default"]) == (0, 25, 20)
    [limit] = [
        each
        for each in document["paths"]["/environments"]["get"]["parameters"]
        if each["name"] == "limit"
    ]
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (1, 100)
    assert schemas["Provision"]["properties"]["name"]["maxLength"] == 33


def test_profiles_parameters_are_described(document: Any) -> None:
    schemas = document["components"]["schemas"]
    described = {"$ref": "#/components/schemas/ParameterValues"}
    parameters = schemas["ParameterValues"]

    for body in ("Provision", "Declare"):
        assert schemas[body]["properties"]["parameters"].items() >= described.items()
    assert parameters["additionalProperties"] is False
    [scoped] = [
        each for each in Api(Wire()).get("/profiles").body["profiles"] if each["parameters"]
    ]
    assert set(parameters["properties"]) == set(scoped["parameters"])
    for name, each in scoped["parameters"].items():
        of_it = parameters["properties"][name]
        assert of_it["type"] == "array"
        assert of_it["items"]["pattern"] == f"^(?:{each['pattern']})$"
        assert each["description"] in of_it["description"]
        assert json.dumps(each["default"]) in of_it["description"]


def test_environment_described_is_that_of_the_contract(document: Any) -> None:
    contract = set(
        re.findall(
            r"\w+",
            "name account_id partition region status roles smoke_test changes tags "
            "permissions_boundary on_extras deletion_protection profile parameters drift "
            "paused_until "
            "created_at created_by updated_at updated_by",
        )
    )
    schemas = document["components"]["schemas"]

    assert set(schemas["Environment"]["properties"]) == contract | {"dry_run"}
    assert set(schemas["Environment"]["required"]) == contract
    assert set(schemas["EnvironmentSummary"]["properties"]) == contract - {"changes"}
    assert set(schemas["Change"]["properties"]) == {
        *("kind", "role", "resource", "summary", "effect", "expected", "actual")
    }
    assert set(schemas["Problem"]["properties"]) >= {"type", "title", "status", "detail", "errors"}


def test_every_field_is_described_and_every_time_is_one(document: Any) -> None:
    described = {
        f"{name}.{field}": schema
        for name, each in document["components"]["schemas"].items()
        for field, schema in each.get("properties", {}).items()
    }

    assert [field for field, each in described.items() if not each.get("description")] == []
    for field, each in described.items():
        formats = [one.get("format") for one in (each, *each.get("anyOf", []))]
        is_time = field.endswith(("_at", ".at", "until", "event_time"))
        assert ("date-time" in formats) == is_time, field


def test_no_word_of_the_glossary_is_left_over(document: Any) -> None:
    schemas = document["components"]["schemas"]
    fields = {field for each in schemas.values() for field in each.get("properties", {})}

    for word in FIELDS:
        schema, _, field = word.rpartition(".")
        assert field in fields, word
        assert not schema or field in schemas[schema]["properties"], word


def test_enumerations_have_names(document: Any) -> None:
    schemas = document["components"]["schemas"]
    kinds = {"create_role", "update_trust_policy", "untag_policy", "update_state_machine"}

    assert kinds <= set(schemas["ChangeKind"]["enum"])
    assert set(schemas["Effect"]["enum"]) == {"widened", "narrowed", "altered", "none"}
    assert set(schemas["EnvironmentStatus"]["enum"]) == {"ready", "incomplete", "drifted"}
    assert set(schemas["Outcome"]["enum"]) == {"repaired", "drifted", "failed", "paused"}
    assert "urn:trivet:problem:busy" in schemas["ProblemType"]["enum"]
    change = schemas["Change"]["properties"]
    assert change["kind"]["$ref"].endswith("/ChangeKind")
    assert change["effect"]["$ref"].endswith("/Effect")


def test_schemas_have_the_names_that_people_expect(document: Any) -> None:
    schemas = set(document["components"]["schemas"])

    assert {"Environment", "Change", "Role", "Profile", "Account", "DriftRun", "Problem"} <= schemas
    assert not [name for name in schemas if name.endswith("Document")]


def test_operations_are_grouped_and_named_once(document: Any) -> None:
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    names = [each["operationId"] for each in operations]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name) for name in names)
    tags = {each["name"] for each in document["tags"] if each["description"]}
    assert {tag for each in operations for tag in each["tags"]} == tags
    assert document["servers"]


WITHOUT_AWS = """
import json, sys
import botocore.session

def forbidden(*_, **__):
    raise AssertionError("a client was made")

botocore.session.Session.create_client = forbidden

from app import app
from chalice.test import Client

client = Client(app)
for method, path, body in json.loads(sys.argv[1]):
    answer = client.http.request(method, path, {}, body.encode())
    print(json.dumps([answer.status_code, path]))
"""


def test_no_client_is_made_at_import_nor_for_what_fails_validation() -> None:
    requests = [
        ["GET", "/openapi.json", "", 200],
        ["POST", "/environments", "{", 400],
        ["POST", "/environments", '{"name": "No"}', 422],
        ["PUT", "/environments/No", "{}", 422],
        ["PUT", "/environments/abc", '{"wait": 99}', 422],
        ["GET", "/environments?limit=0", "", 422],
        ["GET", "/environments?cursor=x", "", 422],
        ["GET", "/environments/No", "", 404],
        ["DELETE", "/environments/No", "", 404],
        ["POST", "/drift-runs", '{"apply": 1}', 422],
    ]
    without_region = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_AWS, json.dumps([each[:3] for each in requests])],
        cwd=ROOT,
        env=without_region,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    answered = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[")]
    assert answered == [[status, path] for _, path, _, status in requests]
