"""The routes of the accounts that environments can be made in."""

from chalice.app import Blueprint
from msgspec.structs import asdict

from chalicelib.api import schemas
from chalicelib.api.endpoints import Answer, Call, endpoint
from chalicelib.verbs import accounts
from chalicelib.verbs.accounts import Account

blueprint = Blueprint(__name__)

_TAG = "accounts"


@endpoint(
    blueprint,
    "GET",
    "/accounts",
    name="listAccounts",
    tag=_TAG,
    query=schemas.PageQuery,
    answers={200: schemas.AccountPage},
)
def list_accounts(call: Call) -> Answer:
    """List the accounts, home first."""
    found, cursor = accounts.page(call.installation, call.query.limit, call.query.cursor)
    return Answer(schemas.AccountPage([_document(each) for each in found], cursor))


@endpoint(
    blueprint,
    "PUT",
    "/accounts/{account_id}",
    name="registerAccount",
    tag=_TAG,
    body=schemas.RegisterAccount,
    answers={200: schemas.AccountDocument, 201: schemas.AccountDocument},
    validated_path=("account_id",),
)
def put_account(call: Call, account_id: str) -> Answer:
    """Register an account, after assuming its role worked."""
    account, is_new = accounts.register(call.installation, account_id, call.body.alias)
    location = f"/accounts/{account_id}" if is_new else None
    return Answer(_document(account), 201 if is_new else 200, location)


@endpoint(
    blueprint,
    "GET",
    "/accounts/{account_id}",
    name="getAccount",
    tag=_TAG,
    answers={200: schemas.AccountDocument},
    problems=(404,),
)
def get_account(call: Call, account_id: str) -> Answer:
    """Show an account, its role assumed anew."""
    return Answer(_document(accounts.show(call.installation, account_id)))


@endpoint(
    blueprint,
    "DELETE",
    "/accounts/{account_id}",
    name="forgetAccount",
    tag=_TAG,
    answers={200: schemas.ForgottenAccount},
    problems=(404, 409),
)
def delete_account(call: Call, account_id: str) -> Answer:
    """Forget an account; touches nothing in it."""
    accounts.forget(call.installation, account_id)
    return Answer(schemas.ForgottenAccount(account_id))


def _document(account: Account) -> schemas.AccountDocument:
    return schemas.AccountDocument(**asdict(account))
