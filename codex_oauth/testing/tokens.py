"""The accounts of the stand-in: made-up tokens, their life, and their refresh."""

from __future__ import annotations

import base64
import itertools
import json
import secrets
import threading
import time
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

__all__ = [
    "Account",
    "RefreshRefusal",
    "RefreshRefusedError",
    "TokenAuthority",
    "TokenRejectedError",
    "Tokens",
    "is_made_up",
]

RefreshRefusal: TypeAlias = Literal["expired", "reused", "invalidated", "other"]

_REFUSALS: Final[dict[RefreshRefusal, tuple[str, str]]] = {
    "expired": ("refresh_token_expired", "Your refresh token has expired."),
    "reused": ("refresh_token_reused", "Your refresh token has already been used to generate a new access token."),
    "invalidated": ("refresh_token_invalidated", "Your refresh token has been invalidated."),
    "other": ("invalid_grant", "Your refresh token cannot be used."),
}


@dataclass(frozen=True, slots=True)
class Account:
    """Who a token speaks for."""

    account_id: str
    email: str
    plan: str

    @property
    def user_id(self) -> str:
        return f"user-{self.account_id}"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in or a refresh gives out."""

    id_token: str
    access_token: str
    refresh_token: str


class RefreshRefusedError(Exception):
    """The refresh token buys nothing; `code` is the service's word for why."""

    def __init__(self, refusal: RefreshRefusal) -> None:
        self.code, self.message = _REFUSALS[refusal]
        super().__init__(self.message)


class TokenRejectedError(Exception):
    """The access token opens nothing; `code` is the service's word for why."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


class TokenAuthority:
    """Issues and checks tokens. Refresh tokens are used once: each refresh gives out a new one."""

    def __init__(self) -> None:
        self.refusal: RefreshRefusal | None = None
        self.reject_all = False
        self.lifetime = 3600.0
        self._lock = threading.Lock()
        self._serial = itertools.count(1)
        self._accounts: dict[str, tuple[Account, float]] = {}
        self._revoked = set[str]()
        self._refresh: dict[str, Account] = {}
        self._used = set[str]()

    def issue(self, account: Account, expires_in: float | None = None) -> Tokens:
        """New tokens; the access token is good for `expires_in` seconds, by default for `lifetime`."""
        now = time.time()
        life = self.lifetime if expires_in is None else expires_in
        with self._lock:
            serial = next(self._serial)
            claims = {
                "iss": "https://auth.openai.com",
                "sub": account.user_id,
                # Without it two tokens of one second would be the same, and could not be told apart on the wire.
                "jti": f"jti-{serial}",
                "iat": int(min(now, now + life)),
                "exp": int(now + life),
                "email": account.email,
                "https://api.openai.com/auth": {
                    "chatgpt_account_id": account.account_id,
                    "chatgpt_plan_type": account.plan,
                    "chatgpt_user_id": account.user_id,
                    "user_id": account.user_id,
                },
                "https://api.openai.com/profile": {"email": account.email, "email_verified": True},
            }
            access = _unsigned_jwt(claims)
            # Unlike any other stand-in's, as the service's are: a client may remember one.
            tokens = Tokens(
                _unsigned_jwt({**claims, "aud": ["loopback"]}), access, f"rt-{serial}-{secrets.token_hex(8)}"
            )
            self._accounts[access] = (account, now + life)
            self._refresh[tokens.refresh_token] = account
        return tokens

    def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for a refresh token, which is used up by it.

        Raises:
            RefreshRefusedError: It was used before, is unknown, or refreshing is refused altogether.
        """
        with self._lock:
            if self.refusal is not None:
                raise RefreshRefusedError(self.refusal)
            account = self._refresh.pop(refresh_token, None)
            if account is None:
                raise RefreshRefusedError("reused" if refresh_token in self._used else "other")
            self._used.add(refresh_token)
        return self.issue(account)

    def revoke_refresh(self, refresh_token: str) -> None:
        """Forgets a refresh token, as signing out does."""
        with self._lock:
            self._refresh.pop(refresh_token, None)

    def authenticate(self, access_token: str | None) -> Account:
        """The account an access token speaks for.

        Raises:
            TokenRejectedError: There is none, or it is unknown, expired or revoked.
        """
        if access_token is None:
            raise TokenRejectedError("missing_authorization", "Missing bearer authentication in header.")
        with self._lock:
            account, expires = self._accounts.get(access_token, (None, 0.0))
            if account is None or self.reject_all or access_token in self._revoked:
                raise TokenRejectedError("token_invalidated", "Your authentication token has been invalidated.")
        if expires <= time.time():
            raise TokenRejectedError("token_expired", "Provided authentication token is expired.")
        return account

    def revoke_access_tokens(self) -> None:
        """Ends every access token given out so far."""
        with self._lock:
            self._revoked.update(self._accounts)

    def move_to_plan(self, plan: str) -> None:
        """Changes every account's plan; tokens say so from their next refresh on."""
        with self._lock:
            for token, (account, expires) in self._accounts.items():
                self._accounts[token] = (replace(account, plan=plan), expires)
            for token, account in self._refresh.items():
                self._refresh[token] = replace(account, plan=plan)


_SIGNATURE: Final = "unsigned"


def is_made_up(token: str) -> bool:
    """Whether this is a token of a stand-in rather than of the service."""
    return token.endswith(f".{_SIGNATURE}")


def _unsigned_jwt(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    # Readers insist on a third part that is not empty.
    return ".".join([*encoded, _SIGNATURE])
