"""What a home's `auth.json` says about its sign-in: read only, read tolerantly, and never with a token in the
result."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Final

__all__ = ("holds_plan_sign_in", "sign_in_command")

_LARGEST: Final = 1024 * 1024
# A sign-in takes 4 KB. What is larger, or a pipe, is none, and must not hold a call up.


def holds_plan_sign_in(home: Path) -> bool:
    """Whether the home holds a ChatGPT sign-in, as far as its file tells.

    Good enough to decide what may be sent ahead. Who pays is decided by what the app-server answers: codex rewrites the
    file in place, so a reader may see half of it.
    """
    try:
        file = home / "auth.json"
        if not file.is_file() or file.stat().st_size > _LARGEST:
            return False
        content = json.loads(file.read_bytes())
        return bool(content["tokens"]["refresh_token"]) and not content.get("OPENAI_API_KEY")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def sign_in_command(home: Path, codex: Path) -> str:
    """The command that signs in on this home, as one would type it."""
    if os.name == "nt":
        return f'set "CODEX_HOME={home}" && "{codex}" login'
    return f"CODEX_HOME={shlex.quote(str(home))} {shlex.quote(str(codex))} login"
