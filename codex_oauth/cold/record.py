"""Writing the launch record, after a call that went the general way."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from sysconfig import get_path
from typing import Final

from codex_oauth.account.profiles import wallet_of
from codex_oauth.account.record import sidecar
from codex_oauth.account.refresh import REFRESH_AHEAD
from codex_oauth.account.sign_in import read_sign_in
from codex_oauth.cold.call import thread_line
from codex_oauth.config import Settings
from codex_oauth.errors import CodexOAuthError
from codex_oauth.home.network import Network
from codex_oauth.models import choose_effort, choose_model
from codex_oauth.process import Binary
from codex_oauth.process.environment import CERTIFICATES
from codex_oauth.records import replace
from codex_oauth.server_process import ServerProcess
from codex_oauth.session.request import TurnRequest
from codex_oauth.session.server import thread_params
from codex_oauth.thin.launch import Launch, state_of, write_launch
from codex_oauth.thin.place import write_own

__all__ = ("remember", "rivals")

_LONGEST_USE: Final = 86_400.0
"""Seconds after which a launch record is made anew, whatever it rests on."""


async def remember(settings: Settings, path: str, thread_path: str, wanted: str | None, request: TurnRequest) -> None:
    """Write the launch record for calls like one that has just succeeded. Nothing happens where it cannot be written,
    or where such a call is not for a launch by record: another wallet, an external token, a home of the user's own,
    responses that are to be recorded.

    Args:
        settings: The call's.
        path: The record.
        thread_path: The line that asks for the thread.
        wanted: The model that was asked for.
        request: The turn: its model is not known yet.
    """
    if not settings.managed or settings.external is not None or wallet_of(settings) != "chatgpt":
        return
    if settings.record is not None or settings.record_tapes is not None:
        return  # this way hears nothing of the model's responses
    with suppress(CodexOAuthError, OSError, ValueError):
        process = ServerProcess(settings)
        binary, home = await process.ready()
        model = choose_model(home.models, wanted or settings.model, settings.model_preference)
        request = replace(request, model=model.id, effort=choose_effort(model, request.effort or settings.effort))
        auth_file = settings.home / "auth.json"
        # Where packages are installed: a codex that is installed there takes another one's place.
        files = [binary.path, auth_file, sidecar(settings, "refused.json"), Path(get_path("purelib"))]
        files += rivals(binary, settings.inherited)
        # A network that begins to refuse WebSockets wants another command.
        files.append(Network(settings).file)
        files += [settings.home / name for name in ("config.toml", "models.json", "codex-oauth.json")]
        files += [settings.config_dir / "config.toml", *([settings.config_file] if settings.config_file else [])]
        # Before anything is read: what changes from now on makes the record worthless.
        states = {str(file): state_of(str(file)) for file in files}
        server = await process.server(binary, request, home=home)
        found = read_sign_in(settings.home)
        if not server.ahead or found is None or found.holds_key or found.expires_at is None:
            return
        command = server.command
        inherited = settings.inherited
        env = {name: value for name, value in command.env.items() if inherited.get(name) != value}
        # The catalogue, the system's roots, and whatever else was chosen for it.
        named = [env[name] for name in ("SSL_CERT_FILE", "CODEX_CA_CERTIFICATE") if name in env]
        named += [*(word.partition("=")[2].strip('"') for word in command.argv), str(CERTIFICATES)]
        states |= {file: state_of(file) for file in named if os.path.isabs(file) and file not in states}
        launch = Launch(
            argv=list(command.argv),
            env=env,
            path=inherited.get("PATH", "") if binary.source == "PATH" else "",
            cwd=str(command.cwd),
            wanted=wanted or settings.model or "",
            model=model.id,
            efforts=model.efforts,
            service=settings.service,
            until=min(found.expires_at - REFRESH_AHEAD, time.time() + _LONGEST_USE),
            files=states,
        )
        params = thread_params(server, request)
        write_launch(path, launch)
        write_own(thread_path, thread_line(params))


def rivals(binary: Binary, inherited: Mapping[str, str]) -> list[Path]:
    """What would be found before a binary, or instead of it: the link that leads to it, which an upgrade moves, and
    the places on PATH that come before it."""
    if binary.named is None:
        return []
    found = [binary.named]
    if binary.source == "PATH":
        for folder in inherited.get("PATH", os.defpath).split(os.pathsep):
            candidate = Path(folder) / binary.named.name
            if candidate == binary.named:
                break
            found += [candidate] if os.path.isabs(folder) else []
    return found
