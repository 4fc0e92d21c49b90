"""Comparing and repairing, in memory: whatever differs is found, and what is repaired is gone."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib import catalogue
from chalicelib.flow import plan
from chalicelib.flow.plan import Plan
from chalicelib.model.actual import Actual, ActualPolicy, ActualRole, ActualStateMachine
from chalicelib.model.change import ChangeDocument
from chalicelib.model.desired import Desired, ManagedPolicy, Place, Role
from chalicelib.model.environment import Declaration, Environment, OnExtras
from chalicelib.resources.change import AnyChange

PLACE = Place("123456789012", "aws", "us-east-1")


def declared(boundary: str | None) -> Desired:
    return (
        catalogue.load()
        .profile("standard")
        .render("abc", PLACE, tags={"team": "a"}, permissions_boundary=boundary, parameters={})
    )


DESIRED = declared(None)
LIMITED = declared("arn:aws:iam::aws:policy/ReadOnlyAccess")
OTHER = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}],
}


def role_as_made(role: Role) -> ActualRole:
    return ActualRole(
        name=role.name,
        arn=role.arn,
        path="/",
        unique_id=f"AROA{role.key}",
        description=role.description,
        max_session_duration=role.max_session_duration,
        trust_policy=role.trust_policy,
        managed_policies=frozenset(role.managed_policies),
        inline_policies=dict(role.inline_policies),
        tags=dict(role.tags),
        permissions_boundary=role.permissions_boundary,
    )


def policy_as_made(policy: ManagedPolicy) -> ActualPolicy:
    return ActualPolicy(
        policy.name, policy.arn, f"ANPA{policy.role}", policy.document, dict(policy.tags)
    )


def as_made(desired: Desired) -> Actual:
    machine = desired.state_machine
    return Actual(
        roles={role.name.lower(): role_as_made(role) for role in desired.roles},
        policies={policy.arn: policy_as_made(policy) for policy in desired.policies},
        state_machine=ActualStateMachine(machine.arn, "2026", machine.role_arn, machine.definition),
    )


def compared(desired: Desired, actual: Actual, on_extras: OnExtras = "remove") -> Plan:
    environment = Environment(
        name=desired.name,
        account_id=PLACE.account_id,
        partition=PLACE.partition,
        region=PLACE.region,
        declaration=Declaration(on_extras=on_extras),
    )
    return plan.compare(environment, desired, actual, lambda _: False)


def repaired(desired: Desired, actual: Actual, changes: Sequence[AnyChange]) -> Actual:
    """Carry out in memory, as IAM would, what the documents of changes say."""
    for change in changes:
        actual = _REPAIRS[change.kind](desired, actual, change.document())
    return actual


Repair = Callable[[Desired, Actual, ChangeDocument], Actual]


def _on_role(edit: Callable[[ActualRole, ChangeDocument], dict[str, Any]]) -> Repair:
    def repair(_: Desired, actual: Actual, change: ChangeDocument) -> Actual:
        name = change.resource.rsplit("/", 1)[1].lower()
        role = actual.roles[name]
        return replace(actual, roles={**actual.roles, name: replace(role, **edit(role, change))})

    return repair


def _on_policy(edit: Callable[[ActualPolicy, ChangeDocument], dict[str, Any]]) -> Repair:
    def repair(_: Desired, actual: Actual, change: ChangeDocument) -> Actual:
        policy = replace(
            actual.policies[change.resource], **edit(actual.policies[change.resource], change)
        )
        return replace(actual, policies={**actual.policies, change.resource: policy})

    return repair


def _create_role(desired: Desired, actual: Actual, change: ChangeDocument) -> Actual:
    made = change.expected
    role = replace(
        role_as_made(desired.role(change.role)),
        name=made["name"],
        description=made["description"],
        max_session_duration=made["max_session_duration"],
        trust_policy=made["trust_policy"],
        tags=made["tags"],
        permissions_boundary=made["permissions_boundary"],
        managed_policies=frozenset(),
        inline_policies={},
    )
    return replace(actual, roles={**actual.roles, role.name.lower(): role})


def _create_policy(_: Desired, actual: Actual, change: ChangeDocument) -> Actual:
    made = change.expected
    policy = ActualPolicy(made["name"], change.resource, "ANPA", made["document"], made["tags"])
    return replace(actual, policies={**actual.policies, policy.arn: policy})


def _machine(_: Desired, actual: Actual, change: ChangeDocument) -> Actual:
    made = change.expected
    machine = ActualStateMachine(change.resource, "2027", made["role_arn"], made["definition"])
    return replace(actual, state_machine=machine)


def _without(items: Any, name: str) -> Any:
    return {key: value for key, value in items.items() if key != name}


_REPAIRS: dict[str, Repair] = {
    "create_role": _create_role,
    "update_trust_policy": _on_role(lambda _, each: {"trust_policy": each.expected}),
    "update_role": _on_role(lambda _, each: dict(each.expected)),
    "tag_role": _on_role(lambda role, each: {"tags": {**role.tags, **each.expected}}),
    "untag_role": _on_role(
        lambda role, each: {
            "tags": {key: role.tags[key] for key in role.tags if key in each.expected}
        }
    ),
    "put_permissions_boundary": _on_role(lambda _, each: {"permissions_boundary": each.expected}),
    "delete_permissions_boundary": _on_role(lambda *_: {"permissions_boundary": None}),
    "attach_managed_policy": _on_role(
        lambda role, each: {"managed_policies": role.managed_policies | {each.expected}}
    ),
    "detach_managed_policy": _on_role(
        lambda role, each: {"managed_policies": role.managed_policies - {each.actual}}
    ),
    "put_inline_policy": _on_role(
        lambda role, each: {
            "inline_policies": {
                **role.inline_policies,
                each.expected["name"]: each.expected["document"],
            }
        }
    ),
    "delete_inline_policy": _on_role(
        lambda role, each: {"inline_policies": _without(role.inline_policies, each.actual["name"])}
    ),
    "create_policy": _create_policy,
    "update_policy": _on_policy(lambda _, each: {"document": each.expected}),
    "tag_policy": _on_policy(
        lambda policy, each: {"tags": {**(policy.tags or {}), **each.expected}}
    ),
    "untag_policy": _on_policy(
        lambda policy, each: {
            "tags": {
                key: value for key, value in (policy.tags or {}).items() if key in each.expected
            }
        }
    ),
    "create_state_machine": _machine,
    "update_state_machine": _machine,
}


# --- drifts

roles = st.sampled_from(sorted(as_made(DESIRED).roles))
arns = st.sampled_from([policy.arn for policy in DESIRED.policies])
tags = st.sampled_from(["trivet:environment", "trivet:role", "team", "added", "more"])


def _role_drift(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just("role"), roles, st.fixed_dictionaries(values))


drifts = st.one_of(
    st.tuples(st.just("no role"), roles),
    st.tuples(st.just("no policy"), arns),
    st.just(("no machine",)),
    st.tuples(st.just("machine"), st.sampled_from([DESIRED.roles[0].arn, "arn:aws:iam::x"])),
    _role_drift(trust_policy=st.just(OTHER)),
    _role_drift(description=st.sampled_from(["", "edited"])),
    _role_drift(max_session_duration=st.sampled_from([3_601, 43_200])),
    _role_drift(permissions_boundary=st.sampled_from([None, "arn:aws:iam::aws:policy/Other"])),
    st.tuples(st.just("attach"), roles, st.sampled_from(["arn:aws:iam::aws:policy/Other"])),
    st.tuples(st.just("detach"), roles, st.integers(0, 6)),
    st.tuples(st.just("inline"), roles, st.sampled_from(["PassWorkflowExecutionRole", "More"])),
    st.tuples(st.just("no inline"), roles),
    st.tuples(st.just("tag"), roles, tags),
    st.tuples(st.just("untag"), roles, tags),
    st.tuples(st.just("policy"), arns),
    st.tuples(st.just("policy tag"), arns, tags),
    st.tuples(st.just("policy untag"), arns, tags),
)


def drifted(actual: Actual, drift: Any) -> Actual:  # noqa: C901 - one case per drift
    kind, *rest = drift
    role = actual.roles.get(rest[0]) if rest else None
    policy = actual.policies.get(rest[0]) if rest else None

    def with_role(**values: Any) -> Actual:
        if role is None:
            return actual
        return replace(actual, roles={**actual.roles, rest[0]: replace(role, **values)})

    def with_policy(**values: Any) -> Actual:
        if policy is None:
            return actual
        return replace(actual, policies={**actual.policies, rest[0]: replace(policy, **values)})

    match kind:
        case "no role":
            return replace(actual, roles=_without(actual.roles, rest[0]))
        case "no policy":
            return replace(actual, policies=_without(actual.policies, rest[0]))
        case "no machine":
            return replace(actual, state_machine=None)
        case "machine" if actual.state_machine is not None:
            machine = replace(actual.state_machine, role_arn=rest[0], definition={"edited": 1})
            return replace(actual, state_machine=machine)
        case "role":
            return with_role(**rest[1])
        case "attach" if role:
            return with_role(managed_policies=role.managed_policies | {rest[1]})
        case "detach" if role:
            return with_role(managed_policies=frozenset(sorted(role.managed_policies)[rest[1] :]))
        case "inline" if role:
            return with_role(inline_policies={**role.inline_policies, rest[1]: OTHER})
        case "no inline":
            return with_role(inline_policies={})
        case "tag" if role:
            return with_role(tags={**role.tags, rest[1]: "edited"})
        case "untag" if role:
            return with_role(tags=_without(role.tags, rest[1]))
        case "policy":
            return with_policy(document=OTHER)
        case "policy tag" if policy:
            return with_policy(tags={**(policy.tags or {}), rest[1]: "edited"})
        case "policy untag" if policy:
            return with_policy(tags=_without(policy.tags, rest[1]))
    return actual


@pytest.mark.parametrize("desired", [DESIRED, LIMITED], ids=["plain", "limited"])
@settings(max_examples=150, derandomize=True, database=None, deadline=None)
@given(what=st.lists(drifts, max_size=8))
def test_any_drift_is_found_and_gone_once_repaired(desired: Desired, what: list[Any]) -> None:
    actual = untouched = as_made(desired)
    for each in what:
        actual = drifted(actual, each)
    found = compared(desired, actual)

    assert bool(found.differences) == (actual != untouched)
    assert sorted(found.steps, key=repr) == sorted(found.differences, key=repr)
    after = repaired(desired, actual, found.steps)
    assert compared(desired, after).differences == ()
    kept = compared(desired, actual, on_extras="report")
    still = compared(desired, repaired(desired, actual, kept.steps), on_extras="report")
    assert still.steps == ()
    assert {(each.kind, each.resource) for each in still.differences} == {
        (each.kind, each.resource) for each in found.differences if each.origin == "added"
    }


@settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(what=st.lists(drifts, max_size=8))
def test_changes_carry_whole_values_that_json_can_hold(what: list[Any]) -> None:
    actual = as_made(DESIRED)
    for each in what:
        actual = drifted(actual, each)

    for change in compared(DESIRED, actual).documents:
        assert json.loads(json.dumps(change.expected)) == change.expected
        assert json.loads(json.dumps(change.actual)) == change.actual
        assert change.expected is not None or change.actual is not None
        assert change.role in {role.key for role in DESIRED.roles}


def test_nothing_there_is_all_to_be_made() -> None:
    found = compared(DESIRED, Actual())

    assert {each.origin for each in found.differences} == {"lacking"}
    made = repaired(DESIRED, Actual(), found.steps)
    assert compared(DESIRED, made).differences == ()
    assert {role.name for role in made.roles.values()} == {role.name for role in DESIRED.roles}


@pytest.mark.parametrize(
    ("edit", "is_drift"),
    [
        ({"description": DESIRED.roles[0].description + " \n"}, False),
        ({"description": DESIRED.roles[0].description + "."}, True),
        ({"tags": {**DESIRED.roles[0].tags, "aws:cloudformation:stack-name": "x"}}, False),
        ({"tags": {**DESIRED.roles[0].tags, "team": "A"}}, True),
        ({"tags": dict(sorted(DESIRED.roles[0].tags.items()))}, False),
    ],
)
def test_drifts_that_are_none(edit: dict[str, Any], is_drift: bool) -> None:
    actual = as_made(DESIRED)
    name = DESIRED.roles[0].name.lower()
    edited = replace(actual, roles={**actual.roles, name: replace(actual.roles[name], **edit)})

    assert bool(compared(DESIRED, edited).differences) is is_drift
