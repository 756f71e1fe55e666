"""What to start: arguments, environment and folder, worked out without starting anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from codex_oauth.process.watchdog import KILL_GRACE

__all__ = ("POST_ONLY", "CommandSpec", "app_server_command")

POST_ONLY: Final = "codex_oauth_post"
"""The built-in provider's equal for a network that refuses WebSockets: the same address and the same sign-in. codex has
no other switch for them, and takes no change of its built-in one."""

_POST_ONLY_TABLE: Final = (
    f'model_providers.{POST_ONLY}={{name="OpenAI",base_url="https://chatgpt.com/backend-api/codex",'
    'wire_api="responses",requires_openai_auth=true,supports_websockets=false}'
)


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A process to start.

    Attributes:
        argv: Program and arguments. They are visible to every user of the machine, so no content and no secret.
        env: The whole environment.
        cwd: The folder it runs in.
        grace: Seconds between asking it to end and killing it.
        inherit: Descriptors that it inherits and keeps open as long as it runs; not on Windows.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path
    grace: int = KILL_GRACE
    inherit: tuple[int, ...] = ()


def app_server_command(
    *,
    codex: Path,
    home: Path,
    inherited: Mapping[str, str],
    cwd: Path,
    inherit: tuple[int, ...] = (),
    catalogue: Path | None = None,
    post_only: bool = False,
) -> CommandSpec:
    """The command for `codex app-server` on a home.

    Args:
        codex: The program.
        home: Its CODEX_HOME.
        inherited: The rest of its environment.
        cwd: The folder it runs in.
        inherit: Descriptors that it keeps open.
        catalogue: A catalogue in place of the one that the home's configuration names.
        post_only: Whether it shall know the provider `POST_ONLY`.
    """
    # A JSON string is a TOML one, but for what TOML does not know; such a path is left to the configuration.
    named = "" if catalogue is None else json.dumps(str(catalogue), ensure_ascii=False)
    overrides = ("-c", f"model_catalog_json={named}") if named and named.isprintable() else ()
    if post_only:
        overrides += ("-c", _POST_ONLY_TABLE)
    return CommandSpec(
        argv=(str(codex), *overrides, "app-server"),
        env={**inherited, "CODEX_HOME": str(home)},
        cwd=cwd,
        inherit=inherit,
    )
