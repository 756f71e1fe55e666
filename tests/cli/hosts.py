"""The hosts' settings of the person whose commands are tested."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import anyio

from codex_oauth.config import load_settings
from codex_oauth.hosts import hosts_codex, open_hook_server, trusted_state


def path_without_codex(environ: dict[str, str]) -> str:
    """PATH without the folders that have a codex in them: whoever tests may use codex too."""
    folders = environ["PATH"].split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if not (Path(folder) / "codex").exists())


def hooks(path: Path) -> list[list[dict[str, Any]]]:
    """The hooks for permission requests in a settings file, by group."""
    return [group["hooks"] for group in json.loads(path.read_bytes())["hooks"]["PermissionRequest"]]


def commands(path: Path) -> list[str]:
    """Their commands."""
    return [hook["command"] for group in hooks(path) for hook in group]


def put(path: Path, *commands: str, **others: Any) -> None:
    """Write a settings file with a group for each of these commands."""
    groups = [
        {"matcher": "", "hooks": [{"type": "command", "command": command, "timeout": 60}]} for command in commands
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**others, "hooks": {"PermissionRequest": groups}}, indent=2), encoding="utf-8")


def trust_all(environ: dict[str, str], home: Path) -> None:
    """What `t` does in Codex's own `/hooks`, for each hook."""
    settings = load_settings(environ=environ)

    async def trust() -> None:
        async with open_hook_server(hosts_codex(settings), home, settings.inherited) as server:
            listing = await server.listing(home)
            await server.write_states((), {hook.key: trusted_state(hook) for hook in listing.hooks})

    anyio.run(trust)
