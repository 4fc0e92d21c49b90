"""What is asked of AWS itself: signatures, and where the API is."""

import re
from typing import Any

import botocore.session
import pytest
from botocore.session import Session
from moto import mock_aws

from tests.cli.conftest import Trivet
from trivet import aws
from trivet.api import Api, Unreachable

HOST = "a1b2c3.execute-api.eu-west-1.amazonaws.com"


@pytest.fixture(autouse=True)
def _fresh_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has credentials of its own, and a session that has seen no others."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    aws.session.cache_clear()


def _signed(url: str, content: bytes | None = None) -> dict[str, str]:
    return aws.signed("PUT", url, content, {"Accept": "application/json"})


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (HOST, "eu-west-1"),
        ("a1b2c3.execute-api.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("a1b2c3-vpce-0123.execute-api.eu-west-1.amazonaws.com", "eu-west-1"),
        ("trivet.example.com", "us-east-1"),
    ],
)
def test_a_request_is_signed_for_the_apis_region(host: str, region: str) -> None:
    headers = _signed(f"https://{host}/dev/environments")

    assert re.match(
        rf"AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/\d+/{region}/execute-api/aws4_request, ",
        headers["Authorization"],
    )
    assert headers["X-Amz-Security-Token"] == "token"
    assert headers["Accept"] == "application/json"


def test_the_signature_covers_body_and_query() -> None:
    url = f"https://{HOST}/dev/environments"
    signatures = {
        _signed(url)["Authorization"],
        _signed(url, b"{}")["Authorization"],
        _signed(f"{url}?limit=1")["Authorization"],
    }
    assert len(signatures) == 3


def test_over_https_a_call_is_signed_and_over_http_none_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[Any] = []

    def remember(_: Api, request: Any) -> None:
        sent.append({name.lower() for name in request.headers})

    monkeypatch.setattr(Api, "_sent", remember)
    for url in (f"https://{HOST}/dev", "http://127.0.0.1:8000", "http://trivet.internal"):
        Api(url).call("GET", "/environments")

    secret = {"authorization", "x-amz-security-token"}
    assert [secret <= each for each in sent] == [True, False, False]
    assert not (sent[1] | sent[2]) & secret


def test_without_credentials_it_says_how_to_sign_in() -> None:
    class Nobody(Session):
        def get_credentials(self, *_: Any, **__: Any) -> Any:
            return None

    with pytest.raises(Unreachable, match="aws sso login"):
        Api(f"https://{HOST}/dev", session=Nobody()).call("GET", "/environments")


def test_a_profile_that_is_not_there_is_told(
    trivet: Trivet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)

    ran = trivet("list", "--url", f"https://{HOST}/dev", AWS_PROFILE="nowhere")

    assert ran.code == 1
    assert "nowhere" in ran.err
    assert "AWS_PROFILE" in ran.err


def test_a_domain_of_ones_own_needs_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")

    with pytest.raises(Unreachable, match="AWS_DEFAULT_REGION"):
        _signed("https://trivet.example.com/environments")


def _deploy(client: Any, name: str, *stages: str) -> str:
    api = client.create_rest_api(name=name)
    root = client.get_resources(restApiId=api["id"])["items"][0]["id"]
    client.put_method(
        restApiId=api["id"], resourceId=root, httpMethod="GET", authorizationType="NONE"
    )
    client.put_integration(restApiId=api["id"], resourceId=root, httpMethod="GET", type="MOCK")
    for stage in stages:
        client.create_deployment(restApiId=api["id"], stageName=stage)
    return str(api["id"])


@pytest.mark.parametrize(
    ("region", "suffix"), [("us-east-1", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn")]
)
def test_the_api_is_found_by_its_stage(
    monkeypatch: pytest.MonkeyPatch, region: str, suffix: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    with mock_aws():
        client: Any = botocore.session.Session().create_client("apigateway")
        _deploy(client, "another", "dev")
        wanted = _deploy(client, "trivet", "dev", "test")
        _deploy(client, "trivet", "prod")

        assert aws.find_url("dev") == f"https://{wanted}.execute-api.{region}.{suffix}/dev"


def test_a_stage_that_is_not_there_or_twice(trivet: Trivet) -> None:
    with mock_aws():
        client: Any = botocore.session.Session().create_client("apigateway")
        for _ in range(2):
            _deploy(client, "trivet", "dev")

        twice, absent = trivet("list", "--stage", "dev"), trivet("list", "--stage", "prod")

    assert (twice.code, absent.code) == (1, 1)
    assert twice.err.startswith("Error: 2 REST APIs named trivet have a stage dev in us-east-1")
    assert absent.err.startswith("Error: No REST API named trivet has a stage prod in us-east-1")
