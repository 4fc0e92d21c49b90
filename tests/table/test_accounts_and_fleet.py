"""The registry of member accounts, and the lease on the fleet."""

import pytest

from chalicelib.errors import Busy, Invalid
from chalicelib.model.environment import timestamp
from chalicelib.table.accounts import Accounts, MemberAccount
from chalicelib.table.fleet import Fleet
from tests.table.conftest import CALLER, LEASE, START, Bench

STARTS = ["000000000002/m-dev", "000000000001/a-dev"]


def account(number: int, alias: str | None = None) -> MemberAccount:
    return MemberAccount(
        account_id=f"{number:012}",
        alias=alias,
        registered_at=timestamp(START),
        checked_at=timestamp(START),
        status="connected",
    )


def test_accounts_are_put_listed_and_forgotten(bench: Bench) -> None:
    accounts = Accounts(bench.table())
    for number in range(25):
        accounts.put(account(number))
    first, cursor = accounts.page(10)
    second, cursor = accounts.page(10, cursor)
    third, end = accounts.page(10, cursor)
    assert [*first, *second, *third] == [account(number) for number in range(25)]
    assert end is None
    accounts.put(account(3, "ml-dev"), only_if_registered=True)
    assert accounts.get("000000000003") == account(3, "ml-dev")
    accounts.delete("000000000003")
    accounts.put(account(3, "ml-dev"), only_if_registered=True)
    assert accounts.get("000000000003") is None
    with pytest.raises(Invalid):
        accounts.page(10, "000000000003")


def test_one_run_at_a_time_starts_where_the_last_ended(bench: Bench) -> None:
    fleet = Fleet(bench.table())
    bench.wire.lose_answer("update_item")
    assert fleet.hold() == []
    with pytest.raises(Busy, match=CALLER) as busy:
        Fleet(bench.table(caller=None)).hold()
    assert timestamp(START) in str(busy.value)
    assert busy.value.retry_after == LEASE
    bench.wire.lose_answer("update_item")
    fleet.release(STARTS)
    again = Fleet(bench.table(caller=None))
    assert again.hold() == STARTS
    with pytest.raises(Busy, match="another call"):
        fleet.hold()
    again.release([])
    assert fleet.hold() == []


def test_a_run_that_died_is_followed_by_the_next(bench: Bench) -> None:
    dead = Fleet(bench.table())
    dead.hold()
    bench.clock.time += LEASE + 1
    living = Fleet(bench.table(caller=None))
    assert living.hold() == []
    dead.release(STARTS)
    with pytest.raises(Busy, match="another call"):
        Fleet(bench.table()).hold()
    living.release([])
