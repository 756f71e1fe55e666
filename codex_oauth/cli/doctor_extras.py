"""What `doctor` looks at where it is in use: the recorder, and the endpoint for OpenAI's clients."""

from __future__ import annotations

import os
import stat
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codex_oauth.cli.finding import Check

if TYPE_CHECKING:
    from codex_oauth.config import Settings

__all__ = ("endpoint_checks", "recording_checks", "unwritable")

_ENDPOINT_FILE: Final = "endpoint-token"
# Its name in the state folder.


def recording_checks(settings: Settings) -> list[Check]:
    """Whether what models are sent is kept; nothing where it is not."""
    if settings.record is None and settings.record_tapes is None:
        return []
    where = " and ".join(str(place) for place in (settings.record, settings.record_tapes) if place is not None)
    kept = "" if settings.record_redact else ", secrets included"
    if settings.record is not None and (problem := unwritable(settings.record)):
        return [Check("recording", "warn", f"nothing can be recorded: {problem}", "CODEX_OAUTH_RECORD=… or [record]")]
    return [Check("recording", "ok", f"on, into {where}: what models are sent and what they answer{kept}")]


def endpoint_checks(settings: Settings) -> list[Check]:
    """Whether the endpoint can be started again; nothing where it never was."""
    path = settings.state_dir / _ENDPOINT_FILE
    try:
        mode = path.lstat().st_mode
    except OSError:
        return []
    if not stat.S_ISREG(mode) or (os.name == "posix" and mode & 0o077):
        return [Check("endpoint", "warn", f"{path} has to be a file that only you can read", f"chmod 600 {path}")]
    if find_spec("uvicorn") is None:
        return [Check("endpoint", "warn", "its HTTP server is not installed", 'pip install "codex-oauth[server]"')]
    return [Check("endpoint", "ok", f"codex-oauth serve --http; its token is in {path}")]


def unwritable(path: os.PathLike[str]) -> str:
    """Why nothing can be appended to a file; empty where it can be, or its folder can be made."""
    try:
        if os.path.lexists(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return f"{path} is not a file"
            finally:
                os.close(descriptor)
            return ""
        folder = os.path.dirname(os.path.abspath(path))
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        if not Path(folder).is_dir():
            return f"{folder} is not a folder"
        return "" if os.access(folder, os.W_OK | os.X_OK) else f"{folder}: Permission denied"
    except OSError as error:
        return f"{path}: {error.strerror}"
