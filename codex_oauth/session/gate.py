"""The account gate: who would pay, decided before a turn may start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_oauth.errors import NotLoggedInError, ReauthenticationRequired, WrongAccountError
from codex_oauth.types import Account

if TYPE_CHECKING:
    from codex_oauth.protocol import GetAccountResponse

__all__ = ("read_account", "require_wallet")


def read_account(answer: GetAccountResponse) -> Account | None:
    """The account in an `account/read` answer; None when nobody is signed in."""
    account = answer.get("account")
    if account is None:
        return None
    if account["type"] == "chatgpt":
        return Account(kind="chatgpt", plan=account["planType"], email=account["email"])
    return Account(kind=account["type"])


def require_wallet(
    account: Account | None, *, wallet: str, sign_in: str, was_signed_in: bool, sign_in_matters: bool = True
) -> Account:
    """The account, if it is of the kind that may pay.

    Without this check an unauthenticated request would go out: codex accepts `turn/start` when nobody is signed in, and
    sends it to api.openai.com.

    Args:
        account: What the app-server said.
        wallet: The kind that may pay: `chatgpt`, or `apiKey` for a profile that was signed in with one.
        sign_in: The command that signs in on this home.
        was_signed_in: Whether the home holds a sign-in, which the app-server then did not accept.
        sign_in_matters: `requiresOpenaiAuth` of the answer: false where the configuration names another provider.

    Raises:
        NotLoggedInError: Nobody is signed in.
        ReauthenticationRequired: The home's sign-in is no longer accepted.
        WrongAccountError: Somebody is, but with the other kind.
    """
    if account is None:
        if not sign_in_matters:
            raise WrongAccountError(
                "the home's configuration names a provider that needs no ChatGPT sign-in, so no plan would pay",
                account="another provider",
            )
        if was_signed_in:
            raise ReauthenticationRequired(f"the sign-in of this home is no longer accepted; sign in again: {sign_in}")
        what = "sign in with your ChatGPT plan" if wallet == "chatgpt" else "give this profile its API key"
        raise NotLoggedInError(f"not signed in; {what}: {sign_in}")
    # `chatgptAuthTokens` is reported as `chatgpt` too: what counts is that a plan pays.
    if account.kind != wallet:
        if wallet == "chatgpt":
            message = (
                f"this home is signed in with {account.kind}, which would be billed, and not with a ChatGPT plan; "
                f"sign in with the plan: {sign_in}"
            )
        else:
            message = (
                f"this profile is for an API key, and is signed in with {account.kind}; give it its key: {sign_in}"
            )
        raise WrongAccountError(message, account=account.kind)
    return account
