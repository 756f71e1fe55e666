"""Who is signed in, as the users of the stand-in decide it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .browser import follow
from .certificates import certificates
from .oauth import AuthServer
from .recording import Recording
from .tokens import Account, RefreshRefusal, TokenAuthority, is_made_up

__all__ = ["SignIns"]


class SignIns:
    """Accounts, their tokens, and the person in front of the browser."""

    def __init__(
        self, account: Account, api_keys: Iterable[str], recording: Recording, proxy_port: Callable[[], int]
    ) -> None:
        self._account = account
        self._proxy_port = proxy_port
        self._tokens = TokenAuthority()
        self._keys = set(api_keys)
        self._auth = AuthServer(self._tokens, lambda: self._account, recording)

    def sign_in(
        self,
        codex_home: str | os.PathLike[str],
        *,
        expires_in: float = 3600.0,
        plan: str | None = None,
        email: str | None = None,
        account_id: str | None = None,
    ) -> None:
        """Writes an `auth.json` of a ChatGPT account that the stand-in knows, as if its person had signed in.

        Args:
            codex_home: The folder codex is given as `CODEX_HOME`; made (0700) when it is missing.
            expires_in: Seconds the access token is good for; a negative number makes one that has expired already.
            plan: The account's plan; the stand-in's own by default.
            email: Its e-mail address; the stand-in's own by default.
            account_id: Its id; the stand-in's own by default.

        Raises:
            FileExistsError: The folder holds somebody's real sign-in, which would be lost.
            OSError: The file cannot be written.
        """
        tokens = self._tokens.issue(self._person(plan, email, account_id), expires_in)
        content = {
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": None,
            "tokens": {
                "id_token": tokens.id_token,
                "access_token": tokens.access_token,
                "refresh_token": tokens.refresh_token,
                "account_id": account_id or self._account.account_id,
            },
            "last_refresh": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        self._write_auth(Path(codex_home), content)

    def sign_in_with_api_key(self, codex_home: str | os.PathLike[str], key: str = "sk-loopback") -> None:
        """Writes an `auth.json` of an API key: the other wallet, which pays at `api.openai.com`.

        Without `api_keys` the stand-in refuses and counts its host; with them, it refuses a key that is none of them.

        Raises:
            FileExistsError: The folder holds somebody's real sign-in, which would be lost.
            OSError: The file cannot be written.
        """
        self._keys.add(key)
        self._write_auth(Path(codex_home), {"auth_mode": "apikey", "OPENAI_API_KEY": key})

    def complete_browser_login(self, auth_url: str, *, error: str | None = None, timeout: float = 10.0) -> str:
        """Does what a person's browser would with a sign-in's address: agrees, and goes back to the program.

        Only the stand-in and this machine are ever reached. With `error`, e.g. `access_denied`, the person declines.

        Args:
            auth_url: The `authUrl` of `account/login/start`.
            error: The error to bring back instead of a code.
            timeout: Seconds for each page.

        Returns:
            The address of the page the browser ends on.

        Raises:
            ValueError: The address, or a redirect, leads anywhere else.
            BrowserLoginError: A page answered with an error status.
            OSError: The program is not listening.
        """
        authority = certificates().authority
        return follow(auth_url, proxy_port=self._proxy_port(), authority=authority, error=error, timeout=timeout)

    def approve_device(self, user_code: str, *, plan: str | None = None, email: str | None = None) -> None:
        """Approves a device code, as its person would on the verification page.

        Raises:
            LookupError: The code was never given out.
        """
        self._auth.decide_device(user_code, self._person(plan, email, None))

    def deny_device(self, user_code: str) -> None:
        """Declines a device code; the next poll fails.

        Raises:
            LookupError: The code was never given out.
        """
        self._auth.decide_device(user_code, None)

    @property
    def consent_page(self) -> bool:
        """Whether a browser sign-in asks its person first; False, the default, goes straight back to the program."""
        return self._auth.consent_page

    @consent_page.setter
    def consent_page(self, shown: bool) -> None:
        self._auth.consent_page = shown

    @property
    def device_interval(self) -> int:
        """Seconds between two polls that new device codes ask for; 1 at first."""
        return self._auth.device_interval

    @device_interval.setter
    def device_interval(self, seconds: int) -> None:
        self._auth.device_interval = seconds

    @property
    def refresh_delay(self) -> float:
        """Seconds a refresh's answer is late; the old refresh token is used up before."""
        return self._auth.refresh_delay

    @refresh_delay.setter
    def refresh_delay(self, seconds: float) -> None:
        self._auth.refresh_delay = seconds

    @property
    def exchanged_api_key(self) -> str | None:
        """The API key that a browser sign-in is given when it asks for one, as accounts with an API organization are.

        None, the default, declines the exchange, which codex takes in its stride.
        """
        return self._auth.api_key

    @exchanged_api_key.setter
    def exchanged_api_key(self, key: str | None) -> None:
        self._auth.api_key = key

    @property
    def token_lifetime(self) -> float:
        """Seconds that access tokens of new sign-ins and refreshes are good for; 3600 at first."""
        return self._tokens.lifetime

    @token_lifetime.setter
    def token_lifetime(self, seconds: float) -> None:
        self._tokens.lifetime = seconds

    @property
    def reject_all_access_tokens(self) -> bool:
        """Whether every access token is answered with 401, freshly refreshed ones too."""
        return self._tokens.reject_all

    @reject_all_access_tokens.setter
    def reject_all_access_tokens(self, reject: bool) -> None:
        self._tokens.reject_all = reject

    def refuse_refresh(self, reason: RefreshRefusal | None) -> None:
        """Refuses every refresh with this reason's code, until it is called with None."""
        self._tokens.refusal = reason

    def revoke_access_tokens(self) -> None:
        """Ends every access token given out so far: 401 until the client has refreshed.

        A WebSocket that is open lives on: the service looks at the token of an upgrade only.
        """
        self._tokens.revoke_access_tokens()

    def change_plan(self, plan: str) -> None:
        """Moves the account to another plan; tokens say so from their next refresh on."""
        self._account = Account(self._account.account_id, self._account.email, plan)
        self._tokens.move_to_plan(plan)

    def _person(self, plan: str | None, email: str | None, account_id: str | None) -> Account:
        own = self._account
        return Account(account_id or own.account_id, email or own.email, plan or own.plan)

    def _write_auth(self, codex_home: Path, content: Mapping[str, Any]) -> None:
        codex_home.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = codex_home / "auth.json"
        if file.exists() and not self._is_made_up(file.read_bytes()):
            raise FileExistsError(f"{file} is a real sign-in; give the loopback ChatGPT a CODEX_HOME of its own")
        # Private from its first byte on; narrowing the mode later would leave a moment between.
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(opened, "w", encoding="utf-8") as stream:
            json.dump(content, stream)

    def _is_made_up(self, auth: bytes) -> bool:
        try:
            content: Any = json.loads(auth)
            tokens: Any = content.get("tokens")
            token: Any = tokens and tokens.get("access_token")
            key: Any = content.get("OPENAI_API_KEY")
        except (ValueError, AttributeError):
            return True  # nothing that anybody could be signed in with
        return (not token or is_made_up(str(token))) and (not key or key in {*self._keys, self.exchanged_api_key})
