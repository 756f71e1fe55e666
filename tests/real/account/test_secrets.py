"""Tokens, codes and the address of whoever signs in: in `auth.json`, and in no other file, stream or process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import Hang, HttpResponse, LoopbackChatGPT, unauthorized
from tests.real.account.conftest import Start
from tests.real.account.people import Shown, auth_of, sign_in, ways
from tests.real.endpoints import ACCOUNT
from tests.real.samples import PROMPT

PERSON: Final = "person@example.com"
_SECRET_FIELDS: Final = (
    "code",
    "code_verifier",
    "refresh_token",
    "device_auth_id",
    "user_code",
    "token",
    "subject_token",
)
KEY: Final = "sk-given-unasked"


class Watch:
    """Everything that a user could find a secret in, and every secret that there was."""

    def __init__(self, environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, folder: Path) -> None:
        self._environ = environ
        self._settings = settings
        self._chatgpt = chatgpt
        self._folder = folder
        self._said: dict[str, str] = {}
        self._secrets = {PERSON}

    def learn(self) -> None:
        """Take in what is secret by now."""
        if (self._settings.home / "auth.json").exists():
            self._secrets |= {self.tokens()[name] for name in ("access_token", "id_token", "refresh_token")}
        for request in self._chatgpt.requests:
            self._secrets |= {str(request.fields[name]) for name in _SECRET_FIELDS if name in request.fields}
            self._secrets |= {request.bearer} if request.bearer else set()

    def tokens(self) -> dict[str, str]:
        return auth_of(self._settings.home)["tokens"]

    def look_at_processes(self) -> None:
        """What any user of the machine sees of the processes, and what the one app-server is given."""
        self.learn()
        needle = f"\0CODEX_HOME={self._settings.state_dir}/".encode()
        seen = 0
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command, variables = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            except OSError:
                continue
            assert self.secrets_in(command) == [], command
            if needle in b"\0" + variables:
                seen += 1
                assert self.secrets_in(variables) == []
        assert seen == 1

    def end(self, program: subprocess.Popen[str], name: str, status: int = 0) -> None:
        """Take in what a command has said."""
        said, complained = program.communicate(timeout=30)
        assert program.returncode == status, complained
        self._said[name] = said + complained
        self.learn()

    def secrets_in(self, content: bytes) -> list[str]:
        return [secret[:12] for secret in self._secrets if secret.encode() in content]

    def leaks(self) -> dict[str, list[str]]:
        """Where there is a secret, but for `auth.json`."""
        self.learn()
        for path in (self._settings.home / "auth.json", *self._folder.rglob("auth.json")):
            assert self.secrets_in(path.read_bytes()) != []  # it does find them where they are
        files = [*self._settings.state_dir.rglob("*"), *self._folder.rglob("*")]
        found = {
            str(path): self.secrets_in(path.read_bytes())
            for path in files
            if path.is_file() and path.name != "auth.json"
        }
        found |= {name: self.secrets_in(said.encode()) for name, said in self._said.items()}
        assert self._settings.metrics in files or list(self._said) == ["login"]
        return {where: which for where, which in found.items() if which}


@pytest.fixture
def watch(environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path) -> Iterator[Watch]:
    """Of a user whose home and temporary folder are looked through too."""
    for name in ("HOME", "TMPDIR"):
        environ[name] = str(tmp_path / name)
        (tmp_path / name).mkdir()
    watch = Watch(environ, settings, chatgpt, tmp_path)
    yield watch
    assert watch.leaks() == {}


def complete(start: Start, chatgpt: LoopbackChatGPT, watch: Watch, **variables: str) -> None:
    """A call that is looked at while it runs."""
    chatgpt.script(Hang("so far"))
    seen = len(chatgpt.model_requests)
    program = start("-m", "codex_oauth", "complete", "--stream", PROMPT, **variables)
    chatgpt.wait_for_model_requests(seen + 1)
    watch.look_at_processes()
    program.terminate()
    watch.end(program, f"cut off {seen}", -15)
    watch.end(start("-m", "codex_oauth", "complete", PROMPT, **variables), f"complete {seen}")


@ways
@pytest.mark.parametrize("extra", [(), ("--json",)], ids=["words", "json"])
def test_a_sign_in_leaves_none(
    start: Start, chatgpt: LoopbackChatGPT, watch: Watch, way: str, extra: tuple[str, ...]
) -> None:
    chatgpt.exchanged_api_key = KEY
    program = start("-m", "codex_oauth", "login", f"--{way}", *extra)
    shown = Shown(program)
    watch.look_at_processes()
    sign_in(chatgpt, shown)
    watch.end(program, "login")
    watch.end(start("-m", "codex_oauth", "status", *extra), "status")
    complete(start, chatgpt, watch)


@ways
def test_a_sign_in_that_fails_leaves_none(start: Start, chatgpt: LoopbackChatGPT, watch: Watch, way: str) -> None:
    chatgpt.respond("/oauth/token", HttpResponse(500, {"error": {"message": f"no token for {PERSON}"}}))
    program = start("-m", "codex_oauth", "login", f"--{way}")
    sign_in(chatgpt, Shown(program))
    watch.end(program, "login", 3)


def test_a_refresh_leaves_none(start: Start, settings: Settings, chatgpt: LoopbackChatGPT, watch: Watch) -> None:
    chatgpt.sign_in(settings.home, expires_in=-60)
    watch.learn()
    complete(start, chatgpt, watch)
    chatgpt.websocket = False
    chatgpt.revoke_access_tokens()
    complete(start, chatgpt, watch)
    assert len(chatgpt.refresh_requests) == 2


@pytest.mark.parametrize("moment", ["expired", "account", "turn"])
def test_a_refused_refresh_leaves_none(
    start: Start, settings: Settings, chatgpt: LoopbackChatGPT, watch: Watch, moment: str
) -> None:
    refused = {"error": {"code": "refresh_token_expired", "message": f"It is that of {PERSON}."}}
    chatgpt.respond("/oauth/token", HttpResponse(401, refused))
    if moment == "expired":
        chatgpt.sign_in(settings.home, expires_in=-60)
    elif moment == "account":
        chatgpt.respond(ACCOUNT, HttpResponse(401, {}))
    else:
        chatgpt.websocket = False
        chatgpt.default = unauthorized()
    for number in range(2):
        watch.end(start("-m", "codex_oauth", "complete", PROMPT), f"complete {number}", 3)
    watch.end(start("-m", "codex_oauth", "status"), "status", 3)
    watch.end(start("-m", "codex_oauth", "status", "--json"), "status --json", 3)
    watch.end(start("-m", "codex_oauth", "doctor"), "doctor", 3)


@pytest.mark.parametrize("given", ["credential", "token", "command"])
def test_an_external_token_leaves_none(
    environ: dict[str, str],
    start: Start,
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    watch: Watch,
    tmp_path: Path,
    given: str,
) -> None:
    vault = tmp_path / "vault"
    chatgpt.sign_in(vault)
    variables: dict[str, str] = {}
    match given:
        case "credential":
            variables["CODEX_OAUTH_CREDENTIAL"] = (vault / "auth.json").read_text()
        case "token":
            variables["CODEX_OAUTH_TOKEN"] = auth_of(vault)["tokens"]["access_token"]
        case _:
            config = tmp_path / "config" / "codex-oauth" / "config.toml"
            config.parent.mkdir(parents=True)
            config.write_text(f"token_command = {json.dumps(['/bin/cat', str(vault / 'auth.json')])}\n")
    complete(start, chatgpt, watch, **variables)
    watch.end(start("-m", "codex_oauth", "status", "--json", **variables), "status")
