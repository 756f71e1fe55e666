"""Tokens whose refresh somebody else owns: a platform that signs in for a fleet, and hands out access tokens.

They go to the app-server through `chatgptAuthTokens`, which its protocol calls unstable and for OpenAI's own use, and
stay in memory: nothing of them is written to disk, here or by codex (0.163 and 0.169).
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from codex_oauth.account.sign_in import claims_of
from codex_oauth.account.token_command import ask
from codex_oauth.config import ExternalSource
from codex_oauth.errors import ConfigurationError, ExternalTokenError, ReauthenticationRequired
from codex_oauth.types import as_object

if TYPE_CHECKING:
    from codex_oauth.protocol import ChatgptAuthTokensRefreshResponse

__all__ = ("ExternalTokens", "parse_credential")

_MOST_RENEWALS: Final = 4
_RENEWAL_WINDOW: Final = 10.0
# A token that is refused as soon as it was renewed would be renewed for ever: codex asks again for each 401.


class ExternalTokens:
    """A `TokenSource` on what the environment and the configuration name."""

    def __init__(self, source: ExternalSource) -> None:
        self._source = source
        self._renewals: deque[float] = deque(maxlen=_MOST_RENEWALS)
        self._account: str | None = None

    async def current(self) -> ChatgptAuthTokensRefreshResponse:
        """The token of the environment, or the first one of the command.

        Raises:
            ConfigurationError: What the environment holds is not a credential.
            ReauthenticationRequired: It has expired, and there is no command for another one.
            ExternalTokenError: The command gave none.
        """
        given = await self.check()
        return await self._ask() if given is None else self._of_one_account(given)

    async def check(self) -> ChatgptAuthTokensRefreshResponse | None:
        """The token of the environment; None where the command has to be asked. Starts nothing.

        Raises:
            ConfigurationError, ReauthenticationRequired: As `current`.
            ExternalTokenError: There is neither a token nor a command.
        """
        given = self._given()
        if given is None and not self._source.command:
            # A client that was pickled where there was one.
            raise ExternalTokenError(
                "this client is to use a token from outside, and there is none here: set CODEX_OAUTH_TOKEN or "
                "CODEX_OAUTH_CREDENTIAL, or a token_command in the configuration"
            )
        expires = claims_of(given["accessToken"]).get("exp") if given is not None else None
        # Not `>`: a NaN is no moment.
        if given is None or not isinstance(expires, int | float) or not expires <= time.time():
            return given
        if self._source.command:
            return None
        raise ReauthenticationRequired(
            f"the token in {self._source.name} has expired; set a fresh one, or a token_command in the configuration",
            reason="expired",
        )

    async def renewed(self) -> ChatgptAuthTokensRefreshResponse:
        """Another one from the command.

        Raises:
            ExternalTokenError: There is no command, it gave none, or the service refuses one after the other.
        """
        if not self._source.command:
            raise ExternalTokenError(
                f"the service refuses the token in {self._source.name}; set a fresh one, or a token_command in the "
                "configuration"
            )
        now = time.monotonic()
        if len(self._renewals) == _MOST_RENEWALS and now - self._renewals[0] < _RENEWAL_WINDOW:
            raise ExternalTokenError(f"the service refuses every token that {self._source.command[0]} prints")
        self._renewals.append(now)
        return await self._ask()

    def _given(self) -> ChatgptAuthTokensRefreshResponse | None:
        source = self._source
        if source.credential is not None:
            return parse_credential(source.credential, "CODEX_OAUTH_CREDENTIAL")
        if source.token is not None:
            return _credential(
                {"access_token": source.token, "account_id": source.account_id},
                "CODEX_OAUTH_TOKEN",
                "set CODEX_ACCOUNT_ID to the ChatGPT account's id",
            )
        return None

    async def _ask(self) -> ChatgptAuthTokensRefreshResponse:
        try:
            given = parse_credential((await ask(self._source.command)).decode("utf-8"), "token_command")
        except UnicodeDecodeError as error:
            raise ExternalTokenError("token_command: what it printed is not UTF-8") from error
        except ConfigurationError as error:
            raise ExternalTokenError(error.message) from error
        return self._of_one_account(given)

    def _of_one_account(self, given: ChatgptAuthTokensRefreshResponse) -> ChatgptAuthTokensRefreshResponse:
        # The app-server would go on with another one, and every reply would name the first as who has paid.
        account = given["chatgptAccountId"]
        if self._account not in (None, account):
            raise ExternalTokenError("token_command: the token is for another account than the one before")
        self._account = account
        return given


def parse_credential(text: str, name: str) -> ChatgptAuthTokensRefreshResponse:
    """A credential as JSON: `{"tokens": {"access_token": …, "account_id": …}}`, or the same without `tokens`; the names
    may be written in camelCase, and the account may stand beside `tokens`. No value is quoted in an error.

    Raises:
        ConfigurationError: It is not one. The message, which begins with `name`, says what is missing.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ConfigurationError(f"{name}: not valid JSON{where}; expected {_EXPECTED}") from error
    fields = as_object(value)
    if fields is None:
        raise ConfigurationError(f"{name}: a JSON object is expected, such as {_EXPECTED}")
    inner = fields.get("tokens", fields)
    tokens = as_object(inner)
    if tokens is None:
        raise ConfigurationError(f"{name}: 'tokens' must be an object, such as {_EXPECTED}")
    return _credential({**fields, **tokens}, name, "add 'account_id'")


_EXPECTED: Final = '{"tokens": {"access_token": "…", "account_id": "…"}}'


def _credential(fields: Mapping[str, Any], name: str, mend: str) -> ChatgptAuthTokensRefreshResponse:
    access = _member(fields, name, "access_token", "accessToken")
    if access is None:
        raise ConfigurationError(f"{name}: no 'access_token'; expected {_EXPECTED}")
    if any(character.isspace() for character in access):
        raise ConfigurationError(f"{name}: the access token has white space in it; was more than the token pasted?")
    claims = claims_of(access)
    if not claims:
        raise ConfigurationError(
            f"{name}: the access token is not a JWT, so it is none of a ChatGPT sign-in (an API key, perhaps?)"
        )
    about = as_object(claims.get("https://api.openai.com/auth")) or {}
    account = _member(fields, name, "account_id", "accountId", "chatgpt_account_id", "chatgptAccountId")
    account = account or _member(about, f"{name}: the token's claims", "chatgpt_account_id")
    if account is None:
        raise ConfigurationError(f"{name}: the token does not say which account it is for; {mend}")
    plan = _member(fields, name, "plan_type", "planType", "chatgpt_plan_type", "chatgptPlanType")
    plan = plan or _member(about, f"{name}: the token's claims", "chatgpt_plan_type")
    return {"accessToken": access, "chatgptAccountId": account, "chatgptPlanType": plan}


def _member(fields: Mapping[str, Any], name: str, *spellings: str) -> str | None:
    for spelling in spellings:
        value = fields.get(spelling)
        if value is not None and not isinstance(value, str):
            raise ConfigurationError(f"{name}: {spelling!r} must be text")
        if value and any("\ud800" <= character <= "\udfff" for character in value):
            raise ConfigurationError(f"{name}: {spelling!r} holds half a surrogate pair, which cannot be sent")
        if value:
            return value
    return None
