"""Whoever signs in for a fleet, and hands out access tokens."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from codex_oauth.client import AsyncCodex
from codex_oauth.config import load_settings
from codex_oauth.testing import HttpResponse, LoopbackChatGPT, Request
from tests.real.account.people import auth_of
from tests.real.endpoints import RESPONSES


class Vault:
    """Whoever signs in for a fleet: a program prints the token of the day."""

    def __init__(self, chatgpt: LoopbackChatGPT, folder: Path) -> None:
        self._chatgpt = chatgpt
        self._home = folder / "vault"
        self.program = folder / "vault-token"
        self._asked = folder / "asked"
        self._asked.touch()
        self._stale = folder / "stale"
        stale = shlex.quote(str(self._stale))
        self.prints(f"cat {stale} 2>/dev/null && rm {stale} || cat {shlex.quote(str(self._home / 'auth.json'))}")
        self.renew()

    def renew(self, expires_in: float = 3600) -> str:
        """A new token of the day."""
        self._chatgpt.sign_in(self._home, account_id="acc_fleet", plan="business", expires_in=expires_in)
        return self.token

    def is_late_once(self) -> None:
        """The next time it is asked, it gives what is the token of the day by now."""
        self._stale.write_text(self.credential, encoding="utf-8")

    @property
    def token(self) -> str:
        return auth_of(self._home)["tokens"]["access_token"]

    @property
    def credential(self) -> str:
        return (self._home / "auth.json").read_text(encoding="utf-8")

    @property
    def asked(self) -> int:
        return self._asked.read_bytes().count(b"\n")

    def prints(self, script: str) -> None:
        """What the program does from now on."""
        self.program.write_text(f"#!/bin/sh\necho >> {shlex.quote(str(self._asked))}\n{script}\n", encoding="utf-8")
        self.program.chmod(0o700)


class Fleet:
    """Makes a client: with the program in its configuration, or with variables alone."""

    def __init__(self, environ: Mapping[str, str], vault: Vault, config: Path) -> None:
        self._environ = environ
        self._vault = vault
        self._config = config

    def __call__(self, *, command: bool = False, **variables: str) -> AsyncCodex:
        if command:
            self._config.parent.mkdir(parents=True, exist_ok=True)
            self._config.write_text(f"token_command = [{json.dumps(str(self._vault.program))}]\n", encoding="utf-8")
        return AsyncCodex(settings=load_settings(environ={**self._environ, **variables}))


def refuse(chatgpt: LoopbackChatGPT, token: str, path: str = RESPONSES) -> None:
    """One part of the service takes any token but this one."""

    def answer(request: Request) -> HttpResponse | None:
        body = {"error": {"code": "token_expired", "message": "It has expired."}}
        return HttpResponse(401, body) if request.bearer == token else None

    chatgpt.websocket = False
    chatgpt.respond(path, answer)
