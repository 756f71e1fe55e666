"""Which of the environment's credentials for the plan there is, and which is passed over; never what is in it.

What counts is whether a credential is given: text that is no JSON, or names no account, is none. A token that is given
and no good stays the one that was chosen, and its call fails: another wallet must not pay because of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from codex_oauth.account.external import parse_credential
from codex_oauth.errors import ConfigurationError
from codex_oauth.llm.failures import BACKEND_URL
from codex_oauth.records import record
from codex_oauth.types import as_object

__all__ = ("CREDENTIAL", "TOKEN", "SkippedSource", "given", "other_backend", "plan_source", "with_source_alone")

CREDENTIAL: Final = "CODEX_OAUTH_CREDENTIAL"
TOKEN: Final = "CODEX_OAUTH_TOKEN"  # noqa: S105 - a variable's name
_ACCOUNTS: Final = ("CODEX_ACCOUNT_ID", "CHATGPT_ACCOUNT_ID")
_BACKEND: Final = "CODEX_BACKEND_BASE_URL"


@record()
class SkippedSource:
    """A variable that is set and gives no credential.

    Attributes:
        source: Its name.
        reason: Why not, without any of its value.
    """

    source: str
    reason: str


def given(environ: Mapping[str, str], name: str) -> str | None:
    """A variable's value; None where it is empty or blank."""
    return environ.get(name, "").strip() or None


def plan_source(environ: Mapping[str, str]) -> tuple[str | None, tuple[SkippedSource, ...]]:
    """The variable that gives the plan's credential, None where none does; and those that were looked at before."""
    skipped: list[SkippedSource] = []
    if (credential := given(environ, CREDENTIAL)) is not None:
        reason = _lacks(credential, CREDENTIAL)
        if reason is None:
            return CREDENTIAL, ()
        skipped.append(SkippedSource(CREDENTIAL, reason))
    if (token := given(environ, TOKEN)) is not None:
        # The token may name its account itself, as ChatGPT's do.
        if _account(environ) is not None or _lacks(json.dumps({"access_token": token}), TOKEN) is None:
            return TOKEN, tuple(skipped)
        reason = f"{TOKEN}: no account id; set {_ACCOUNTS[0]} to the ChatGPT account's id"
        skipped.append(SkippedSource(TOKEN, reason))
    return None, tuple(skipped)


def with_source_alone(environ: Mapping[str, str], source: str) -> dict[str, str]:
    """The environment with no credential for the plan but that of `source`, which may be none of its variables."""
    kept = {name: value for name, value in environ.items() if name not in (CREDENTIAL, TOKEN)}
    if source in (CREDENTIAL, TOKEN) and (value := given(environ, source)) is not None:
        kept[source] = value
        if (account := _account(environ)) is not None:
            kept[_ACCOUNTS[0]] = account
    return kept


def other_backend(environ: Mapping[str, str], credential: str | None = None) -> str | None:
    """What says that requests shall go elsewhere than to ChatGPT, the variable or the credential; None for nothing."""
    if (named := given(environ, _BACKEND)) is not None:
        return None if _is_chatgpt(named) else _BACKEND
    fields = _fields(credential or "")
    named = next((value for name in ("base_url", "baseUrl") if (value := _text(fields.get(name)))), None)
    return None if named is None or _is_chatgpt(named) else f"the base_url in {CREDENTIAL}"


def _lacks(credential: str, name: str) -> str | None:
    """Why this is no credential; None where it is one, or names a token and an account, however bad they are."""
    try:
        parse_credential(credential, name)
    except ConfigurationError as error:
        fields = _fields(credential)
        members = {**fields, **(as_object(fields.get("tokens")) or {})}
        named = [
            any(_text(members.get(name)) for name in names)
            for names in (("access_token", "accessToken"), ("account_id", "accountId"))
        ]
        return None if all(named) else error.message
    return None


def _account(environ: Mapping[str, str]) -> str | None:
    return next((value for name in _ACCOUNTS if (value := given(environ, name))), None)


def _fields(text: str) -> dict[str, Any]:
    try:
        return as_object(json.loads(text)) or {}
    except (ValueError, RecursionError):
        return {}


def _text(value: object) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None


def _is_chatgpt(url: str) -> bool:
    return url.rstrip("/").casefold() == BACKEND_URL
