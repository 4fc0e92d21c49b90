"""Which condition means another, for the operators that the policy simulator is not asked about."""

from typing import Any

import pytest

from chalicelib.model.conditions import all_implied, conditions

TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"


def implied(by: Any, wanted: Any) -> bool:
    return all_implied(conditions(by), conditions(wanted))


@pytest.mark.parametrize(
    ("strict", "loose"),
    [
        ({"ArnLike": {"aws:SourceArn": TOPIC}}, {"ArnLike": {"aws:SourceArn": f"{TOPIC}*"}}),
        (
            {"ArnEquals": {"aws:SourceArn": TOPIC}},
            {"ArnLike": {"aws:SourceArn": ["arn:aws:sns:*:*:t*", "arn:aws:sqs:*:*:*"]}},
        ),
        (
            {"ArnNotLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}},
            {"ArnNotEquals": {"aws:SourceArn": TOPIC}},
        ),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {}),
        (
            {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
            {"ipaddress": {"AWS:SourceIp": ["10.0.0.0/8", "192.168.0.0/16"]}},
        ),
        (
            {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.168.0.0/16"]}},
            {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        ),
        (
            {"NumericEquals": {"sts:DurationSeconds": 900}},
            {"NumericEquals": {"sts:DurationSeconds": ["900", "3600"]}},
        ),
        (
            {"Bool": {"aws:SecureTransport": True}, "StringEquals": {"a": "b"}},
            {"Bool": {"aws:SecureTransport": "true"}},
        ),
        ({"StringEquals": {"a": "b*"}}, {"StringLike": {"a": "b*"}}),
    ],
)
def test_what_is_strict_means_what_is_loose(strict: Any, loose: Any) -> None:
    assert implied(strict, loose)
    assert not implied(loose, strict)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"StringEquals": {"a": "b"}}, {"StringEquals": {"c": "b"}}),
        ({"StringEquals": {"a": "b"}}, {"StringNotEquals": {"a": "c"}}),
        ({"StringEquals": {"a": "b"}}, {"ForAllValues:StringEquals": {"a": "b"}}),
        ({"ArnLike": {"a": "arn:aws:sns:*"}}, {"ArnLike": {"a": TOPIC}}),
        ({"ArnLike": {"a": "arn:aws:sns:*:*:${aws:a}"}}, {"ArnLike": {"a": "arn:aws:sns:*:*:*"}}),
        ({"Null": {"a": "true"}}, {"Null": {"a": ["true", "false"]}}),
        ({"StringEquals": {"a": []}}, {"StringEquals": {"a": "b"}}),
        ({"Made:Up": {"a": "b"}}, {"Made:Up": {"a": ["b", "c"]}}),
        ({"NumericLessThan": {"a": "1"}}, {"NumericLessThan": {"a": "2"}}),
    ],
)
def test_what_cannot_be_told_is_not_claimed(one: Any, other: Any) -> None:
    assert not implied(one, other)
    assert not implied(other, one)
    assert implied(one, one)


@pytest.mark.parametrize("block", [[], "a", {"StringEquals": "a"}, {"StringEquals": ["a"]}])
def test_no_conditions_are_read_from_what_is_none(block: Any) -> None:
    with pytest.raises(ValueError, match="map of maps"):
        conditions(block)
