"""The brake: a run that would change too much repairs nothing, unless that is confirmed."""

from collections.abc import Sequence

from chalicelib.errors import FieldError, Invalid
from chalicelib.installation import Installation
from chalicelib.model.report import Report, RunRequest

_FROM = 10
"""Environments from which on a fleet has a brake."""


def reason(
    installation: Installation, request: RunRequest, counts: Sequence[tuple[int, int]]
) -> str | None:
    """Tell why a run may not repair what it found, if it may not.

    Args:
        counts: for each account, how many environments a repair would change, of how many.

    Raises:
        Invalid: it confirms a report that there is not, or that is still running.
    """
    changed, fleet = sum(each[0] for each in counts), sum(each[1] for each in counts)
    basis = confirmed(installation, request.confirm)
    limit = installation.settings.max_drift
    if not request.apply or fleet < _FROM or changed <= limit * fleet:
        return None
    if basis is not None and changed <= basis.drifted:
        return None
    more = (
        f" That is more than the {basis.drifted} of report {basis.id}." if basis is not None else ""
    )
    return (
        f"{changed} of {fleet} environments would change, more than the share of {limit:g} that "
        f"TRIVET_MAX_DRIFT allows: nothing was repaired.{more} If the report shows what is "
        'wanted, POST /drift-runs {"confirm": "<its id>"} repairs it.'
    )


def confirmed(installation: Installation, confirm: str | None) -> Report | None:
    """Return the report that a run confirms, if it confirms one.

    Raises:
        Invalid: there is no such report, or it is still running.
    """
    if confirm is None:
        return None
    report = installation.reports.page(confirm, 1, None)
    if report is None or report.status != "finished":
        raise Invalid([FieldError("confirm", "not the id of a finished drift report")])
    return report
