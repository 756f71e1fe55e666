"""Tokens whose refresh somebody else owns: a platform that signs in for a fleet, and hands out access tokens.

They go to the app-server through `chatgptAuthTokens`, which its protocol calls unstable, and stay in memory: nothing of
them is written to disk, here or by codex (0.163 and 0.169).
"""

from __future__ import annotations

import json
import subprocess
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import anyio

from codex_oauth.account.sign_in import claims_of
from codex_oauth.config import ExternalSource
from codex_oauth.errors import ConfigurationError, ExternalTokenError, ReauthenticationRequired
from codex_oauth.types import as_object

if TYPE_CHECKING:
    from codex_oauth.protocol import ChatgptAuthTokensRefreshResponse

__all__ = ("ExternalTokens", "parse_credential")

_COMMAND_TIMEOUT: Final = 20.0
"""Seconds that `token_command` may take."""

_LARGEST: Final = 64 * 1024
_MOST_RENEWALS: Final = 4
_RENEWAL_WINDOW: Final = 10.0
# A token that is refused as soon as it was renewed would be renewed for ever: codex asks again for each 401.


class ExternalTokens:
    """A `TokenSource` on what the environment and the configuration name."""

    def __init__(self, source: ExternalSource) -> None:
        self._source = source
        self._renewals: deque[float] = deque(maxlen=_MOST_RENEWALS)

    async def current(self) -> ChatgptAuthTokensRefreshResponse:
        """The token of the environment, or the first one of the command.

        Raises:
            ConfigurationError: What the environment holds is not a credential.
            ReauthenticationRequired: It has expired, and there is no command for another one.
            ExternalTokenError: The command gave none.
        """
        given = self._given()
        if given is None:
            return await self._ask()
        expires = claims_of(given["accessToken"]).get("exp")
        if isinstance(expires, int | float) and expires <= time.time():
            if self._source.command:
                return await self._ask()
            raise ReauthenticationRequired(
                f"the token in {self._source.name} has expired; set a fresh one, or a token_command in the "
                "configuration",
                reason="expired",
            )
        return given

    async def check(self) -> None:
        """Say what is wrong with the environment's credential, before anything is started.

        Raises:
            ConfigurationError, ReauthenticationRequired: As `current`.
        """
        if self._given() is not None:
            await self.current()

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
        program = self._source.command[0]
        try:
            with anyio.fail_after(_COMMAND_TIMEOUT):
                # Its environment is this program's: it is the user's own, as a git credential helper is. What it writes
                # to stderr goes nowhere, since it may say the token.
                done = await anyio.run_process(
                    self._source.command, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
        except TimeoutError as error:
            raise ExternalTokenError(f"token_command: {program} took longer than {_COMMAND_TIMEOUT:g} s") from error
        except OSError as error:
            raise ExternalTokenError(f"token_command: {program} cannot be started: {error.strerror}") from error
        if done.returncode != 0:
            raise ExternalTokenError(f"token_command: {program} ended with status {done.returncode}")
        try:
            return parse_credential(done.stdout[:_LARGEST].decode("utf-8"), "token_command")
        except UnicodeDecodeError as error:
            raise ExternalTokenError("token_command: what it printed is not UTF-8") from error
        except ConfigurationError as error:
            raise ExternalTokenError(error.message) from error


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
        if value:
            return value
    return None
