"""Find the codex binary, and know its version without starting it."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from codex_oauth.config import Settings
from codex_oauth.errors import CodexNotFoundError, UnsupportedCodexError

__all__ = ("MINIMUM_VERSION", "Binary", "BinaryWatch", "check_version", "find_binary", "run_codex")

MINIMUM_VERSION: Final = (0, 159, 0)
"""The first version whose hermetic turn was measured to carry no tool of its own (0.156 still lists its skills)."""

_PROBE_TIMEOUT: Final = 20.0
"""Seconds for a command that takes 8 to 40 ms; generous for a cold disk."""


@dataclass(frozen=True, slots=True)
class Binary:
    """A codex binary, and what tells it from another one put in its place.

    Attributes:
        path: Where it is, with links resolved (an npm `codex` is a link, and an upgrade moves the link's target).
        size: In bytes.
        mtime_ns: When it was last changed.
        source: `option`, `bundled` or `PATH`.
        named: Where it was found, which may be a link.
    """

    path: Path
    size: int
    mtime_ns: int
    source: str
    named: Path | None = field(default=None, compare=False, repr=False)


class BinaryWatch:
    """The binary to use, looked for again when the file that was found has changed; and each time where it was found on
    PATH, since another one may come before it any time: that takes 0.07 ms.

    Args:
        settings: What names it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._binary: Binary | None = None
        self._state: tuple[int, ...] | None = None

    def find(self) -> Binary:
        """What `find_binary` finds, and raises."""
        known = self._binary
        if known is None or known.source == "PATH" or self._state is None or _state(known) != self._state:
            self._binary = known = find_binary(self._settings)
            self._state = _state(known)
        return known


def _state(binary: Binary) -> tuple[int, ...] | None:
    # Of what a link leads to: an upgrade moves it.
    try:
        stat = os.stat(binary.named or binary.path)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def find_binary(settings: Settings) -> Binary:
    """The binary to use: the named one, else the bundled one (extra `bundled`), else `codex` on PATH.

    Raises:
        CodexNotFoundError: There is none, or the named one is not an executable file.
    """
    if settings.codex_bin is not None:
        return _binary(settings.codex_bin, "option")
    bundled = _bundled_path()
    if bundled is not None:
        return _binary(bundled, "bundled")
    name = "codex.exe" if os.name == "nt" else "codex"
    for folder in settings.inherited.get("PATH", os.defpath).split(os.pathsep):
        if not os.path.isabs(folder):
            continue  # a hook runs in a folder of somebody else's making, and what is chosen gets the sign-in
        candidate = Path(folder) / name
        if os.access(candidate, os.X_OK) and candidate.is_file():
            return _binary(candidate, "PATH")
    raise CodexNotFoundError(
        'no codex binary, neither installed with the package nor on PATH: pip install "codex-oauth[bundled]"'
    )


def _bundled_path() -> Path | None:
    # find_spec and a path, not an import: the package's own module costs more than the look-up.
    spec = find_spec("codex_cli_bin")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "bin" / ("codex.exe" if os.name == "nt" else "codex")
    return path if path.is_file() else None


def _binary(path: Path, source: str) -> Binary:
    try:
        real = Path(os.path.realpath(path, strict=True))
        stat = real.stat()
    except OSError as error:
        raise CodexNotFoundError(f"{path}: {error.strerror}; no codex binary there") from error
    if not real.is_file() or not os.access(real, os.X_OK):
        raise CodexNotFoundError(f"{path}: not an executable file; no codex binary there")
    return Binary(path=real, size=stat.st_size, mtime_ns=stat.st_mtime_ns, source=source, named=path)


def run_codex(
    binary: Binary,
    *arguments: str,
    home: Path,
    inherited: dict[str, str],
    given_up: Callable[[], bool] = lambda: False,
) -> str:
    """What a short codex command prints on stdout.

    Args:
        binary: The binary.
        arguments: Its arguments.
        home: The CODEX_HOME it runs on, and the folder it runs in.
        inherited: The rest of its environment.
        given_up: Asked ten times a second whether nobody waits any more; it is ended then.

    Raises:
        UnsupportedCodexError: It failed, took too long, or could not be started.
    """
    command = f"{binary.path.name} {' '.join(arguments)}"
    try:
        process = subprocess.Popen(
            [str(binary.path), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**inherited, "CODEX_HOME": str(home)},
            cwd=home,
        )
    except OSError as error:
        raise UnsupportedCodexError(
            f"{binary.path}: cannot be run: {error.strerror}. Is it built for this machine?"
        ) from error
    end = time.monotonic() + _PROBE_TIMEOUT
    with process:
        while True:
            try:
                stdout, stderr = process.communicate(timeout=0.1)
                break
            except subprocess.TimeoutExpired as error:
                if given_up() or time.monotonic() > end:
                    process.kill()
                    raise UnsupportedCodexError(
                        f"{binary.path}: `{command}` did not end within {_PROBE_TIMEOUT:.0f} s; is this codex?"
                    ) from error
    if process.returncode != 0:
        raise UnsupportedCodexError(
            f"{binary.path}: `{command}` failed with status {process.returncode}; "
            f"a codex of version {_dotted(MINIMUM_VERSION)} or later is needed",
            exit_code=process.returncode,
            stderr_tail=stderr.decode("utf-8", "replace")[-2000:],
        )
    return stdout.decode("utf-8", "replace")


def check_version(binary: Binary, printed: str) -> str:
    """The version in what `codex --version` printed.

    Raises:
        UnsupportedCodexError: It is not codex, or too old.
    """
    found = re.search(r"\b(\d+)\.(\d+)\.(\d+)\S*", printed)
    if found is None or "codex" not in printed:
        raise UnsupportedCodexError(f"{binary.path}: `--version` does not answer like codex")
    if tuple(int(part) for part in found.groups()) < MINIMUM_VERSION:
        raise UnsupportedCodexError(
            f"{binary.path}: codex {found.group()} is too old; {_dotted(MINIMUM_VERSION)} or later is needed. "
            'Install one: pip install "codex-oauth[bundled]"'
        )
    return found.group()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
