"""The account gate: which account may pay, and what is said where none may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from codex_oauth.errors import AccountError, NotLoggedInError, ReauthenticationRequired, WrongAccountError
from codex_oauth.session.gate import read_account, require_wallet
from codex_oauth.types import Account

if TYPE_CHECKING:
    from codex_oauth.protocol import GetAccountResponse

SIGN_IN = "codex-oauth login"
PLAN = Account(kind="chatgpt", plan="plus", email="person@example.com")
KEY = Account(kind="apiKey")


@pytest.mark.parametrize(
    ("answer", "account"),
    [
        ({"type": "chatgpt", "planType": "plus", "email": "person@example.com"}, PLAN),
        ({"type": "apiKey"}, KEY),
        ({"type": "amazonBedrock"}, Account(kind="amazonBedrock")),
        (None, None),
    ],
)
def test_an_answer_names_the_account(answer: dict[str, Any] | None, account: Account | None) -> None:
    assert read_account(cast("GetAccountResponse", {"account": answer, "requiresOpenaiAuth": True})) == account


@pytest.mark.parametrize(("account", "wallet"), [(PLAN, "chatgpt"), (KEY, "apiKey")])
def test_the_wanted_account_may_pay(account: Account, wallet: str) -> None:
    assert require_wallet(account, wallet=wallet, sign_in=SIGN_IN, was_signed_in=True) is account


@pytest.mark.parametrize(
    ("account", "wallet", "was_signed_in", "matters", "kind", "said"),
    [
        (None, "chatgpt", False, True, NotLoggedInError, "not signed in; sign in with your ChatGPT plan: "),
        (None, "apiKey", False, True, NotLoggedInError, "not signed in; give this profile its API key: "),
        (None, "chatgpt", True, True, ReauthenticationRequired, "is no longer accepted; sign in again: "),
        (None, "chatgpt", False, False, WrongAccountError, "names a provider that needs no ChatGPT sign-in"),
        (KEY, "chatgpt", True, True, WrongAccountError, "signed in with apiKey, which would be billed, and not"),
        (PLAN, "apiKey", True, True, WrongAccountError, "is for an API key, and is signed in with chatgpt; "),
        (Account(kind="amazonBedrock"), "chatgpt", True, True, WrongAccountError, "signed in with amazonBedrock"),
    ],
    ids=["nobody", "no key", "no longer", "another provider", "a key for a plan", "a plan for a key", "another kind"],
)
def test_any_other_may_not_and_the_message_names_the_command_that_mends_it(
    account: Account | None, wallet: str, was_signed_in: bool, matters: bool, kind: type[AccountError], said: str
) -> None:
    with pytest.raises(AccountError) as caught:
        require_wallet(account, wallet=wallet, sign_in=SIGN_IN, was_signed_in=was_signed_in, sign_in_matters=matters)
    assert type(caught.value) is kind
    assert said in caught.value.message
    assert "person@example.com" not in caught.value.message
    assert caught.value.message.endswith(f": {SIGN_IN}") is matters
    assert caught.value.exit_status == 3
    if isinstance(caught.value, WrongAccountError):
        assert caught.value.account == (account.kind if account else "another provider")
