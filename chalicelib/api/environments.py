"""The routes of environments."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec
from chalice.app import Blueprint

from chalicelib.api import schemas
from chalicelib.api.endpoints import Answer, Call, endpoint, provisioner
from chalicelib.errors import FieldError, Invalid
from chalicelib.provisioner import Provisioner, Result
from chalicelib.records import Declaration, Environment

blueprint = Blueprint(__name__)


@endpoint(
    blueprint,
    "POST",
    "/environments",
    body=schemas.Provision,
    answers={200: schemas.Environment, 201: schemas.Environment},
    problems=(409,),
)
def post_environment(call: Call) -> Answer:
    """Provision the environment named in the body."""
    return _provision(call, call.body.name)


@endpoint(
    blueprint,
    "PUT",
    "/environments/{name}",
    body=schemas.Declare,
    answers={200: schemas.Environment, 201: schemas.Environment},
    problems=(409,),
    validate_name=True,
)
def put_environment(call: Call, name: str) -> Answer:
    """Provision the environment named in the path."""
    return _provision(call, name)


@endpoint(
    blueprint,
    "GET",
    "/environments",
    query=schemas.ListQuery,
    answers={200: schemas.EnvironmentPage},
)
def list_environments(call: Call) -> Answer:
    """List environments by name."""
    work = provisioner(call.operation)
    found, after = work.store.page(call.query.limit, _decoded(work, call.query.cursor))
    return Answer(
        schemas.EnvironmentPage([_summary(work, each) for each in found], after and _encoded(after))
    )


@endpoint(
    blueprint,
    "GET",
    "/environments/{name}",
    answers={200: schemas.Environment},
    problems=(404,),
)
def get_environment(call: Call, name: str) -> Answer:
    """Show an environment, its smoke test brought up to date."""
    work = provisioner(call.operation)
    return _environment(work, work.show(name))


@endpoint(
    blueprint,
    "GET",
    "/environments/{name}/drift",
    answers={200: schemas.Drift},
    problems=(404, 409),
)
def get_drift(call: Call, name: str) -> Answer:
    """Show what differs from the templates; changes nothing."""
    found = provisioner(call.operation).drift(name).all
    return Answer(schemas.Drift(name, not found, found))


@endpoint(
    blueprint,
    "POST",
    "/environments/{name}/reapply",
    body=schemas.Nothing,
    answers={200: schemas.Environment},
    problems=(404, 409),
)
def reapply(call: Call, name: str) -> Answer:
    """Put an environment back as declared."""
    work = provisioner(call.operation)
    return _environment(work, work.reapply(name))


@endpoint(
    blueprint,
    "POST",
    "/environments/{name}/smoke-test",
    body=schemas.RunSmokeTest,
    answers={200: schemas.Environment},
    problems=(404, 409),
)
def run_smoke_test(call: Call, name: str) -> Answer:
    """Run the smoke test again."""
    work = provisioner(call.operation)
    return _environment(work, work.run_smoke_test(name, call.body.wait))


@endpoint(
    blueprint,
    "DELETE",
    "/environments/{name}",
    answers={200: schemas.Deleted},
    problems=(404, 409),
)
def delete_environment(call: Call, name: str) -> Answer:
    """Remove an environment: its own roles, policies and state machine."""
    return Answer(schemas.Deleted(name, provisioner(call.operation).delete(name)))


def _provision(call: Call, name: str) -> Answer:
    body = call.body
    declaration = Declaration(
        tags=body.tags,
        permissions_boundary=body.permissions_boundary,
        on_extras=body.on_extras,
        deletion_protection=body.deletion_protection,
    )
    work = provisioner(call.operation)
    result = work.provision(name, declaration, body.adopt, body.dry_run, body.wait)
    return _environment(work, result)


def _environment(work: Provisioner, result: Result) -> Answer:
    summary = msgspec.structs.asdict(_summary(work, result.environment))
    document = schemas.Environment(**summary, changes=result.changes)
    return Answer(document, 201 if result.created else 200)


def _summary(work: Provisioner, environment: Environment) -> schemas.EnvironmentSummary:
    desired = work.desired(environment)
    declaration, smoke_test = environment.declaration, environment.smoke_test
    return schemas.EnvironmentSummary(
        name=environment.name,
        account_id=environment.account_id,
        partition=environment.partition,
        region=environment.region,
        status=environment.status,
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
        created_at=environment.created_at,
        created_by=environment.created_by,
        updated_at=environment.updated_at,
        updated_by=environment.updated_by,
    )


def _encoded(name: str) -> str:
    return urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _decoded(work: Provisioner, cursor: str | None) -> str | None:
    """Return the name after which a page starts."""
    if cursor is None:
        return None
    try:
        padding = "=" * (-len(cursor) % 4)
        name = urlsafe_b64decode(cursor.encode() + padding.encode()).decode()
    except ValueError:
        name = ""
    if not work.templates.is_name(name) or _encoded(name) != cursor:
        raise Invalid([FieldError("cursor", "not a next_cursor of this API")])
    return name
