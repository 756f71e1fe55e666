"""What a home's `auth.json` says about its sign-in: read only, read tolerantly, and never with a token in the
result."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from codex_oauth.types import as_object

__all__ = ("LARGEST", "SignIn", "Wallet", "claims_of", "fingerprint", "parse_sign_in", "read_sign_in")

Wallet = Literal["chatgpt", "apiKey"]
"""Who pays: a ChatGPT plan, or an API key that is billed for each call. The words are the app-server's."""

LARGEST: Final = 1024 * 1024
"""Bytes of a file that may be a sign-in. One takes 4 KB; what is larger, or a pipe, is none, and must not hold a call
up."""

_TRIES: Final = 6
_PAUSE: Final = 0.008
# codex 0.163 empties the file and writes it anew, which takes well under a millisecond.


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A sign-in, as its file tells it. All times are seconds since 1970.

    Attributes:
        wallet: What it pays with; None where the file holds something else.
        fingerprint: Tells one refresh token (or key) from another, and is of no use to anybody else.
        account_id: The ChatGPT account.
        user_id: The person, since several share a workspace's account.
        plan: The plan, as the token says.
        issued_at: When the access token was issued.
        expires_at: When it expires.
        last_refresh: When codex last got new tokens.
        holds_key: Whether an API key lies in the file.
    """

    wallet: Wallet | None
    fingerprint: str
    account_id: str | None = None
    user_id: str | None = None
    plan: str | None = None
    issued_at: float | None = None
    expires_at: float | None = None
    last_refresh: float | None = None
    holds_key: bool = False


def read_sign_in(home: Path) -> SignIn | None:
    """The home's sign-in; None where there is none, or no file that says so.

    codex may be writing the file: half of one is read again, for at most 50 ms. Good enough to decide what may be sent
    ahead and when to refresh; who pays is decided by what the app-server answers.
    """
    file = home / "auth.json"
    for left in reversed(range(_TRIES)):
        try:
            if not file.is_file() or file.stat().st_size > LARGEST:
                return None
            content = json.loads(file.read_bytes())
        except (OSError, RecursionError):
            return None
        except ValueError:
            if left:
                time.sleep(_PAUSE)
            continue
        return parse_sign_in(content)
    return None


def parse_sign_in(content: object) -> SignIn | None:
    """What the JSON value of an `auth.json` says; None for no sign-in."""
    fields = as_object(content) or {}
    tokens = as_object(fields.get("tokens")) or {}
    key, refresh, access = fields.get("OPENAI_API_KEY"), tokens.get("refresh_token"), tokens.get("access_token")
    if isinstance(refresh, str) and refresh:
        claims = claims_of(access)
        about = as_object(claims.get("https://api.openai.com/auth")) or {}
        return SignIn(
            wallet="chatgpt",
            fingerprint=fingerprint(refresh),
            account_id=_text(tokens.get("account_id")) or _text(about.get("chatgpt_account_id")),
            user_id=_text(about.get("chatgpt_user_id")) or _text(claims.get("sub")),
            plan=_text(about.get("chatgpt_plan_type")),
            issued_at=_number(claims.get("iat")),
            expires_at=_number(claims.get("exp")),
            last_refresh=_moment(fields.get("last_refresh")),
            holds_key=bool(key),
        )
    if isinstance(key, str) and key:
        return SignIn(wallet="apiKey", fingerprint=fingerprint(key), holds_key=True)
    return None


def claims_of(token: object) -> dict[str, Any]:
    """The claims of a JWT, unverified; empty where it is none."""
    parts = token.split(".") if isinstance(token, str) else []
    if len(parts) != 3:
        return {}
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return as_object(json.loads(claims)) or {}
    except (ValueError, binascii.Error, RecursionError):
        return {}


def fingerprint(secret: str) -> str:
    """64 bits of a secret's SHA-256: enough to tell two apart, too little and too one-way to be one."""
    return hashlib.sha256(b"codex-oauth:" + secret.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    # JSON as Python reads it has NaN and Infinity, which are no moments.
    return number if math.isfinite(number) else None


def _moment(value: object) -> float | None:
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
