"""`auth.openai.com`: signing in with a browser or a device code, the pages for it, and refreshing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from . import pages
from .messages import HttpResponse, Request, error_body
from .recording import Recording
from .tokens import Account, RefreshRefusedError, TokenAuthority, Tokens

__all__ = ["AuthServer"]


@dataclass(frozen=True, slots=True)
class _Grant:
    """An authorization code that can be exchanged once."""

    account: Account
    challenge: str


@dataclass(slots=True)
class _Device:
    """A device code, and what its person has said so far."""

    device_auth_id: str
    account: Account | None = None
    denied: bool = False


class AuthServer:
    """The routes of the sign-in host. `person` is asked who signs in when a browser or a device does."""

    def __init__(self, tokens: TokenAuthority, person: Callable[[], Account], recording: Recording) -> None:
        self.consent_page = False
        self.refresh_delay = 0.0
        self.device_interval = 1
        self.api_key: str | None = None
        self._tokens = tokens
        self._person = person
        self._recording = recording
        self._lock = threading.Lock()
        self._serial = itertools.count(1)
        self._grants: dict[str, _Grant] = {}
        self._devices: dict[str, _Device] = {}

    async def answer(self, request: Request) -> HttpResponse:
        """The answer to one request."""
        match request.method, request.path:
            case "GET", "/oauth/authorize":
                return self._authorize(request.query, None if self.consent_page else "continue")
            case "POST", "/oauth/authorize":
                return self._authorize(request.query, request.fields.get("decision"))
            case "GET", "/codex/device":
                return pages.device()
            case "POST", "/codex/device":
                return self._device_page(request.fields)
            case "POST", "/oauth/token":
                return await self._token(request.fields)
            case "POST", "/oauth/revoke":
                self._tokens.revoke_refresh(str(request.fields.get("token", "")))
                return HttpResponse(200, {})
            case "POST", "/api/accounts/deviceauth/usercode":
                return self._user_code()
            case "POST", "/api/accounts/deviceauth/token":
                return self._poll(request.fields)
            case _:
                return HttpResponse(404, error_body("not_found", f"no {request.method} {request.path}"))

    def decide_device(self, user_code: str, account: Account | None) -> None:
        """Approves a device code for an account, or denies it with None.

        Raises:
            LookupError: No such code was given out.
        """
        with self._lock:
            device = self._devices.get(user_code)
            if device is None:
                raise LookupError(f"no device code {user_code!r} was given out")
            device.account, device.denied = account, account is None

    @property
    def user_codes(self) -> tuple[str, ...]:
        """The device codes given out, oldest first."""
        with self._lock:
            return tuple(self._devices)

    def _authorize(self, query: Mapping[str, str], decision: str | None) -> HttpResponse:
        """Goes back to the program with what the person has decided, or asks where that is not known yet."""
        missing = [name for name in ("client_id", "redirect_uri", "state", "code_challenge") if not query.get(name)]
        if missing or query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            return HttpResponse(400, error_body("invalid_request", f"missing or unusable: {missing}"))
        match decision:
            case None:
                return pages.consent(self._person().email)
            case "continue":
                result = {"code": self._grant(self._person(), query["code_challenge"])}
            case _:
                result = {"error": "access_denied"}
        location = f"{query['redirect_uri']}?{urlencode({**result, 'state': query['state']})}"
        return HttpResponse(302, headers={"location": location})

    def _device_page(self, fields: Mapping[str, Any]) -> HttpResponse:
        """Does what the person has decided on the page for device codes, and tells of it."""
        typed, person = str(fields.get("user_code", "")).strip(), self._person()
        approved = fields.get("decision") == "approve"
        try:
            self.decide_device(typed.upper(), person if approved else None)
        except LookupError:
            return pages.device(unknown=typed)
        if approved:
            return pages.notice("Approved", f"Codex is being signed in as {person.email}. You may close this page.")
        return pages.notice("Denied", "Codex is not signed in. You may close this page.")

    async def _token(self, fields: Mapping[str, Any]) -> HttpResponse:
        match fields.get("grant_type"):
            case "authorization_code":
                with self._lock:
                    grant = self._grants.pop(str(fields.get("code", "")), None)
                if grant is None or _challenge(str(fields.get("code_verifier", ""))) != grant.challenge:
                    return HttpResponse(400, error_body("invalid_grant", "the code or its verifier is not right"))
                return _tokens_response(self._tokens.issue(grant.account))
            case "refresh_token":
                try:
                    tokens = self._tokens.refresh(str(fields.get("refresh_token", "")))
                    outcome, response = "granted", _tokens_response(tokens)
                except RefreshRefusedError as refused:
                    outcome, response = refused.code, HttpResponse(401, error_body(refused.code, refused.message))
                self._recording.refresh(outcome)
                # After the rotation: a client that gives up meanwhile has lost its old token, as with the service.
                await asyncio.sleep(self.refresh_delay)
                return response
            case "urn:ietf:params:oauth:grant-type:token-exchange" if self.api_key is not None:
                return HttpResponse(200, {"access_token": self.api_key, "token_type": "Bearer"})
            case other:
                return HttpResponse(400, error_body("unsupported_grant_type", f"no grant type {other!r}"))

    def _user_code(self) -> HttpResponse:
        with self._lock:
            serial = next(self._serial)
            user_code, device_auth_id = f"LOOP-{serial:05d}", f"deviceauth_{serial}"
            self._devices[user_code] = _Device(device_auth_id)
        # The interval is a string on the wire.
        body = {"device_auth_id": device_auth_id, "user_code": user_code, "interval": str(self.device_interval)}
        return HttpResponse(200, body)

    def _poll(self, fields: Mapping[str, Any]) -> HttpResponse:
        with self._lock:
            device = self._devices.get(str(fields.get("user_code", "")))
        if device is None or device.device_auth_id != fields.get("device_auth_id"):
            return HttpResponse(400, error_body("invalid_request", "no such device code"))
        if device.denied:
            return HttpResponse(400, error_body("access_denied", "the person has declined"))
        if device.account is None:
            return HttpResponse(403, error_body("authorization_pending", "the person has not decided yet"))
        verifier = f"verifier-{device.device_auth_id}"
        challenge = _challenge(verifier)
        code = self._grant(device.account, challenge)
        body = {"authorization_code": code, "code_challenge": challenge, "code_verifier": verifier}
        return HttpResponse(200, body)

    def _grant(self, account: Account, challenge: str) -> str:
        with self._lock:
            code = f"ac-{next(self._serial)}"
            self._grants[code] = _Grant(account, challenge)
        return code


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _tokens_response(tokens: Tokens) -> HttpResponse:
    body = {
        "id_token": tokens.id_token,
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "token_type": "Bearer",
    }
    return HttpResponse(200, body)
