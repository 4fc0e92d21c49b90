"""What one operation works with: the one place where it is put together."""

import json
from functools import cache
from pathlib import Path

import msgspec

from chalicelib import catalogue as catalogue_of
from chalicelib import settings as settings_of
from chalicelib.aws import accounts as aws_accounts
from chalicelib.aws.accounts import Home, Target
from chalicelib.catalogue.catalogue import Catalogue
from chalicelib.errors import NotFound
from chalicelib.model.desired import Desired, Place
from chalicelib.model.environment import Environment
from chalicelib.settings import Settings
from chalicelib.table.accounts import Accounts
from chalicelib.table.environments import Environments
from chalicelib.table.fleet import Fleet
from chalicelib.table.history import History
from chalicelib.table.reports import Reports
from chalicelib.table.table import Table
from chalicelib.work.operation import Operation

POLICIES = Path(__file__).parent.parent / "policies"


class Installation(msgspec.Struct, frozen=True):
    """This deployment of Trivet, as one operation uses it."""

    operation: Operation
    settings: Settings
    home: Home
    table: Table
    environments: Environments
    history: History
    reports: Reports
    accounts: Accounts
    fleet: Fleet

    @property
    def catalogue(self) -> Catalogue:
        """The profiles. They are read when first asked for: some requests need none."""
        return catalogue_of.load(allowed=self.settings.profiles)

    def registered(self, account_id: str | None) -> str:
        """Return the id of an account that environments can be in; home's for `None`.

        Raises:
            NotFound: the account is not registered.
        """
        home = self.home.place.account_id
        if account_id is None or account_id == home:
            return home
        if self.accounts.get(account_id) is None:
            raise NotFound(
                f"Account {account_id[:100]} is not registered. PUT /accounts/<its id> registers "
                "one."
            )
        return account_id

    def target(self, account_id: str | None) -> Target:
        """Return the account that environments are made in; home for `None`.

        Raises:
            NotFound: the account is not registered.
            TrivetError: its role cannot be assumed.
        """
        known = self.registered(account_id)
        return self.home.target if known == self.home.place.account_id else self.member(known)

    def member(self, account_id: str, anew: bool = False) -> Target:
        """Return a member account, registered or not, its role assumed.

        Raises:
            TrivetError: its role cannot be assumed.
        """
        policy = _session_policies().get(self.settings.function)
        return self.home.member(account_id, self.settings.external_id, policy, anew)

    def demanded_boundary(self, place: Place) -> str | None:
        """Return the ARN of the boundary that every role in this account must have, if any."""
        if not self.settings.demands_boundary():
            return None
        # Named by its ARN in home, it has the same name in every other account.
        return f"{place.iam}:policy/{self.settings.permissions_boundary.split('/', 1)[-1]}"

    def rendered(self, environment: Environment) -> Desired:
        """Render an environment as it is declared, where it is recorded to be."""
        declaration = environment.declaration
        place = Place(environment.account_id, environment.partition, environment.region)
        boundary = self.demanded_boundary(place) or declaration.permissions_boundary
        return self.catalogue.profile(declaration.profile).render(
            environment.name,
            place,
            tags=declaration.tags,
            permissions_boundary=boundary,
            parameters=declaration.parameters,
        )


def installed(current: Operation, function_arn: str) -> Installation:
    """Put together what an operation works with.

    Args:
        function_arn: the Lambda function that runs it; "" outside of Lambda.
    """
    settings, home = settings_of.current(), aws_accounts.home()
    home.runs_as(function_arn)
    table = Table(home, settings.table, current)
    return Installation(
        operation=current,
        settings=settings,
        home=home,
        table=table,
        environments=Environments(table),
        history=History(table),
        reports=Reports(table),
        accounts=Accounts(table),
        fleet=Fleet(table),
    )


@cache
def packaged_boundary() -> str:
    """Return the generated permissions boundary, as JSON without white space."""
    document = json.loads((POLICIES / "permissions-boundary.json").read_bytes())
    return json.dumps(document, separators=(",", ":"))


@cache
def _session_policies() -> dict[str, str]:
    """Return, by function, what it may do in a member account, as JSON without white space."""
    content = json.loads((POLICIES / "session-policies.json").read_bytes())
    return {
        function: json.dumps(policy, separators=(",", ":")) for function, policy in content.items()
    }
