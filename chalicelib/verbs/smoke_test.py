"""Run the smoke test again."""

from chalicelib.aws.accounts import Target
from chalicelib.flow.proving import prove
from chalicelib.flow.result import Result
from chalicelib.installation import Installation
from chalicelib.verbs.show import recorded


def run_smoke_test(installation: Installation, target: Target, name: str, wait: float) -> Result:
    """Run the smoke test anew.

    Raises:
        NotFound: there is none of this name.
        Busy: another call holds it.
    """
    entry = recorded(installation, target.place.account_id, name)
    entry.check_free(installation.operation.clock.now())
    return prove(installation, target, entry, wait, anew=True)
