"""The pure parts of the tools: what the demo reports, and what belongs into the package."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest

from tools import breadth, check_package
from tools import demo_report as report

ACCOUNT_ROLE = "arn:aws:iam::123456789012:role/"


def change(kind: str, role: str, expected: Any = None, actual: Any = None) -> dict[str, Any]:
    resource = f"{ACCOUNT_ROLE}e-{role}"
    return {
        "kind": kind,
        "role": role,
        "resource": resource,
        "expected": expected,
        "actual": actual,
    }


def test_breadth_counts_what_patterns_stand_for() -> None:
    documents = [
        {
            "Statement": [
                {"Effect": "Allow", "Action": "sqs:Get*", "Resource": "*"},
                {"Effect": "Allow", "Action": ["sts:GetCallerIdentity"], "Resource": ["a", "*"]},
                {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:::e-*"},
                {"Effect": "Allow", "Action": "sqs:PurgeQueue", "NotResource": "arn:aws:sqs:::x"},
                {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"},
            ]
        }
    ]
    assert breadth.line("scoped", "notebook", documents) == (
        "notebook            scoped      2 services,     5 actions,     4 of them on *"
    )


def test_document_is_shown_with_counts_for_its_long_lists() -> None:
    document = {
        "name": "e",
        "smoke_test": {"status": "succeeded", "checks": [{}, {}, {}]},
        "changes": [change("create_role", "notebook")],
    }
    assert json.loads("\n".join(report.document_lines(document))) == {
        "name": "e",
        "smoke_test": {"status": "succeeded", "checks": "3, shown below"},
        "changes": "1, shown below",
    }


def test_changes_are_counted_by_role_and_kind() -> None:
    changes = [
        change("create_role", "notebook"),
        change("attach_managed_policy", "notebook"),
        change("attach_managed_policy", "notebook"),
        change("create_role", "lambda_trigger"),
    ]
    assert report.change_count_lines(changes) == [
        "notebook        create_role, 2 attach_managed_policy",
        "lambda_trigger  create_role",
    ]
    assert report.change_count_lines([]) == ["nothing was changed"]


def test_a_change_is_shown_with_both_its_sides() -> None:
    lines = report.change_lines([change("tag_role", "notebook", expected={"team": "datalake"})])
    assert lines == [
        "tag_role  notebook",
        f"  on        {ACCOUNT_ROLE}e-notebook",
        '  expected  {"team": "datalake"}',
        "  actual    nothing",
    ]


def test_checks_are_shown_with_marks_and_a_repeated_detail_once() -> None:
    smoke_test = {
        "checks": [
            {"name": "live", "status": "passed", "detail": "0.4 s"},
            {"name": "notebook may pass", "status": "skipped", "detail": "not offered"},
            {"name": "workflow may pass", "status": "skipped", "detail": "not offered"},
            {"name": "trust", "status": "failed", "detail": ""},
        ]
    }
    assert report.check_lines(smoke_test, report.plain) == [
        "PASS  live",
        "      0.4 s",
        "SKIP  notebook may pass",
        "SKIP  workflow may pass",
        "      (all 2) not offered",
        "FAIL  trust",
    ]
    assert report.check_totals(smoke_test) == "1 passed, 2 skipped, 1 failed"


def test_wiring_is_read_from_policy_documents() -> None:
    trust = {
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": ["states.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    }
    grants = {
        "Statement": [
            {"Effect": "Deny", "Action": "iam:PassRole", "Resource": "*"},
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": ["iam:PassRole"],
                "Resource": f"{ACCOUNT_ROLE}e-SageMaker",
                "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            },
        ]
    }
    assert report.trusted_services(trust) == ("states.amazonaws.com",)
    assert report.pass_grants(grants, "Passing") == (
        report.PassGrant(("e-SageMaker",), ("sagemaker.amazonaws.com",), "Passing"),
    )


def test_wiring_is_shown_by_role() -> None:
    notebook = report.RoleWiring(
        "notebook", "e-SageMaker", ("sagemaker.amazonaws.com",), (), ("AmazonS3FullAccess",), ()
    )
    grant = report.PassGrant(("e-SageMaker", "other"), ("sagemaker.amazonaws.com",), "Passing")
    workflow = report.RoleWiring("workflow", "e-Flow", (), (grant,), (), ("Passing",))

    assert report.wiring_lines([notebook, workflow], report.plain) == [
        "notebook  e-SageMaker",
        "  assumed by   sagemaker.amazonaws.com",
        "  may pass     no role, by its own policies",
        "  own policy   none",
        "  AWS managed  AmazonS3FullAccess",
        "",
        "workflow  e-Flow",
        "  may pass     notebook, other to sagemaker.amazonaws.com",
        "               (by Passing)",
        "  own policy   Passing",
        "  AWS managed  none",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "expected"),
    [
        (Terminal(), {"TERM": "xterm"}, report.coloured),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, report.plain),
        (Terminal(), {"TERM": "dumb"}, report.plain),
        (io.StringIO(), {"TERM": "xterm"}, report.plain),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    stream: io.StringIO, environment: Mapping[str, str], expected: report.Paint
) -> None:
    assert report.paint_for(stream, environment) is expected


# --- make package-check


def package_names() -> set[str]:
    return {
        "app.py",
        "aws_lambda_powertools/__init__.py",
        "chalice/app.py",
        "jmespath/__init__.py",
        "msgspec/_core.cpython-311-x86_64-linux-gnu.so",
        "msgspec-0.1.dist-info/RECORD",
        "typing_extensions.py",
    }


def test_package_check_accepts_what_belongs_into_the_package() -> None:
    assert check_package.problems(package_names(), ["app.py"], 1_000_000) == []


def test_package_check_names_what_is_missing_or_does_not_belong() -> None:
    names = package_names() - {"jmespath/__init__.py"} | {"botocore/data/iam.json", "tests/a.py"}
    assert check_package.problems(names, ["app.py", "policies/a.json"], 20_000_000) == [
        "policies/a.json is missing",
        "jmespath is missing",
        "botocore does not belong into it",
        "tests does not belong into it",
        "it has 20.0 MB, more than 5 MB",
    ]


def test_package_check_wants_wheels_built_for_lambda() -> None:
    names = {name.replace("x86_64-linux-gnu", "darwin") for name in package_names()}
    assert check_package.problems(names, [], 0) == [
        "msgspec/_core.* is not built for Lambda (Linux)"
    ]
