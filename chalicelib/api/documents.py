"""What verbs come to, as the documents of the API."""

from chalicelib.api import schemas
from chalicelib.api.endpoints import Answer
from chalicelib.flow.plan import Plan
from chalicelib.flow.result import Result
from chalicelib.installation import Installation
from chalicelib.model.environment import Environment, Look
from chalicelib.table.entry import ShownStatus

_STATUS_OF: dict[tuple[str, bool | None], ShownStatus] = {("ready", False): "drifted"}


def environment(installation: Installation, result: Result) -> Answer:
    """Return the answer that shows an environment: 201 with its place where it is new."""
    summary = summary_of(installation, result.environment, result.look)
    fields = {name: getattr(summary, name) for name in summary.__struct_fields__}
    document = schemas.Environment(**fields, changes=result.changes, dry_run=result.dry_run)
    if not result.created:
        return Answer(document)
    return Answer(document, 201, path_of(installation, result.environment))


def path_of(installation: Installation, shown: Environment) -> str:
    """Return the path under which an environment is found."""
    at_home = shown.account_id == installation.home.place.account_id
    account = "" if at_home else f"/accounts/{shown.account_id}"
    return f"{account}/environments/{shown.name}"


def summary_of(
    installation: Installation, shown: Environment, look: Look
) -> schemas.EnvironmentSummary:
    """Return an environment as listings show it."""
    desired = installation.rendered(shown)
    declaration, smoke_test = shown.declaration, shown.smoke_test
    return schemas.EnvironmentSummary(
        name=shown.name,
        account_id=shown.account_id,
        partition=shown.partition,
        region=shown.region,
        profile=declaration.profile,
        parameters=declaration.parameters,
        status=_STATUS_OF.get((shown.status, look.in_sync), shown.status),
        drift=schemas.LastLook(look.in_sync, look.at),
        roles={role.key: schemas.RoleName(role.name, role.arn) for role in desired.roles},
        smoke_test=schemas.SmokeTest(
            smoke_test.status,
            desired.state_machine.arn,
            smoke_test.execution_arn,
            list(smoke_test.checks),
        ),
        tags=declaration.tags,
        permissions_boundary=desired.roles[0].permissions_boundary,
        on_extras=declaration.on_extras,
        deletion_protection=declaration.deletion_protection,
        paused_until=shown.paused_until(installation.operation.clock.now()),
        created_at=shown.created_at,
        created_by=shown.created_by,
        updated_at=shown.updated_at,
        updated_by=shown.updated_by,
    )


def drift(plan: Plan) -> schemas.Drift:
    """Return what a plan says differs."""
    return schemas.Drift(
        plan.desired.name,
        plan.in_sync,
        plan.documents,
        [schemas.ForeignResource(each.resource, each.reason) for each in plan.foreign],
    )
