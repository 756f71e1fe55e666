"""The managed CODEX_HOME: written for one binary, made ready once, and only looked at from then on.

A normal call reads the stamp and compares some `stat` results with it; no process runs and nothing is parsed but the
stamp, and that once in a process as long as it stays what it was.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from codex_oauth.config import Settings
from codex_oauth.errors import CodexOAuthError, ConfigurationError, UnsupportedCodexError
from codex_oauth.home.catalogues import FOLDER, single_catalogues
from codex_oauth.home.profile import (
    PROFILE_REVISION,
    features_to_disable,
    hermetic_catalogue,
    render_config,
    visible_models,
)
from codex_oauth.process.locate import Binary, check_version, run_codex
from codex_oauth.types import Model

__all__ = ("Home", "HomeWatch", "prepare_home", "ready_home", "work_dir")

_STAMP: Final = "codex-oauth.json"
_FIRST_AGENTS_TABLE: Final = (0, 169, 0)
_FILES: Final = ("config.toml", "models.json")
_LOCK_TIMEOUT: Final = 60.0
"""Seconds to wait for another process's first start, which takes about half a second."""


@dataclass(frozen=True, slots=True)
class Home:
    """A CODEX_HOME that is ready for a binary.

    Attributes:
        path: The folder.
        managed: Whether this package wrote it.
        version: The binary's version.
        models: What `model/list` answers there; empty for a home of the user's own, where the server is asked.
        files: What this package wrote, by its name in the home, and the state that it left it in.
        catalogues: The names of those that are the catalogue of a single model, by the model.
    """

    path: Path
    managed: bool
    version: str | None
    models: tuple[Model, ...]
    files: Mapping[str, list[int]] = field(default_factory=dict[str, list[int]], repr=False)
    catalogues: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def catalogue_of(self, model: str | None) -> Path | None:
        """A catalogue of this model alone; None where there is none, or not any more as it was written."""
        name = self.catalogues.get(model or "")
        try:
            if name is None or _fingerprint(self.path / name) != self.files.get(name):
                return None
        except OSError:
            return None
        return self.path / name


class HomeWatch:
    """A home that is looked at again and again: its stamp is parsed when something has changed.

    Args:
        settings: Where the home is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._work = work_dir(settings)
        self._paths = [str(settings.home / name) for name in (_STAMP, *_FILES)]
        self._seen: tuple[Binary, list[tuple[int, int, int, int]]] | None = None
        self._home: Home | None = None

    def ready(self, binary: Binary) -> Home | None:
        """What `ready_home` says."""
        try:
            now = (binary, [_state(path) for path in self._paths])
        except OSError:
            now = None
        if self._home is None or now is None or now != self._seen or not self._work.is_dir():
            # Looked at before it is parsed: what changes meanwhile is parsed again.
            self._home, self._seen = ready_home(self._settings, binary), now
        return self._home


def _state(path: str) -> tuple[int, int, int, int]:
    stat = os.stat(path)
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def work_dir(settings: Settings) -> Path:
    """The empty folder that app-servers run in: one for all, so that a killed call leaves none behind."""
    return settings.state_dir / "empty"


def ready_home(settings: Settings, binary: Binary) -> Home | None:
    """The home, if it is ready for this binary; None if `prepare_home` has to run first."""
    try:
        stamp = json.loads((settings.home / _STAMP).read_bytes())
        if stamp["profile"] != PROFILE_REVISION or stamp["binary"] != _identity(binary):
            return None
        # `config.toml` names the catalogue by its whole path: a home that was moved would use the old one's.
        if stamp["home"] != str(settings.home):
            return None
        # Somebody else's edit to these files would undo the isolation, so it counts as not ready.
        files, catalogues = stamp["files"], stamp["catalogues"]
        if files != _fingerprints(settings.home, (*_FILES, *catalogues.values())):
            return None
        if not work_dir(settings).is_dir():
            return None
        models = tuple(_model(model) for model in stamp["models"])
        return Home(
            path=settings.home,
            managed=True,
            version=stamp["version"],
            models=models,
            files=files,
            catalogues=catalogues,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _never() -> bool:
    return False


def prepare_home(settings: Settings, binary: Binary, given_up: Callable[[], bool] = _never) -> Home:
    """Write the home for this binary and start it there once, alone.

    Alone, because app-servers that start together on a fresh home fail to create its databases (measured with 0.163:
    34 of 40 at eight at once; none once one has started).

    Args:
        settings: Where the home is.
        binary: What it is written for.
        given_up: Asked ten times a second whether the caller has stopped waiting.

    Raises:
        ConfigurationError: The folder cannot be made or written, or the caller has given up.
        UnsupportedCodexError: The binary is too old, or not codex.
    """
    try:
        with _alone(settings, given_up):
            ready = ready_home(settings, binary)
            if ready is not None:
                return ready
            return _write(settings, binary, given_up)
    except (OSError, UnicodeEncodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name is not UTF-8"
        named = Path(os.fsdecode(error.filename)) if isinstance(error, OSError) and error.filename else settings.home
        inside = named.is_relative_to(settings.home) or settings.home.is_relative_to(named)
        place, variable = (settings.home, "CODEX_OAUTH_HOME") if inside else (settings.state_dir, "XDG_STATE_HOME")
        raise ConfigurationError(
            f"{place}: the managed home cannot be written: {why or error}. {variable} can name another place"
        ) from error


@contextmanager
def _alone(settings: Settings, given_up: Callable[[], bool] = _never) -> Generator[None]:
    from filelock import FileLock, Timeout

    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chmod(settings.home, 0o700)
    lock = FileLock(settings.home / ".codex-oauth.lock", mode=0o600)
    end = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            lock.acquire(timeout=0.1, poll_interval=0.01)
            break
        except Timeout as error:
            if given_up():
                raise ConfigurationError("nobody waits for this home any more") from error
            if time.monotonic() > end:
                raise ConfigurationError(
                    f"{settings.home}: another process has been preparing this home for {_LOCK_TIMEOUT:.0f} s; "
                    "see what it is doing, or end it"
                ) from error
    try:
        yield
    finally:
        lock.release()


def _write(settings: Settings, binary: Binary, given_up: Callable[[], bool]) -> Home:
    home = settings.home
    inherited = dict(settings.inherited)
    empty = work_dir(settings)
    empty.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _probe(home) as probe:
        version = check_version(
            binary, run_codex(binary, "--version", home=probe, inherited=inherited, given_up=given_up)
        )
        features = features_to_disable(
            run_codex(binary, "features", "list", home=probe, inherited=inherited, given_up=given_up)
        )
        catalogue = hermetic_catalogue(
            run_codex(binary, "debug", "models", "--bundled", home=probe, inherited=inherited, given_up=given_up)
        )
        numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:3])
        config = render_config(
            version=version,
            catalogue=home / "models.json",
            features=features,
            agents_table=numbers >= _FIRST_AGENTS_TABLE,
        )
        _replace(home / "models.json", json.dumps(catalogue, separators=(",", ":")))
        _replace(home / "config.toml", config)
        _replace(probe / "config.toml", config)
        try:
            # Only the databases are this home's: with its sign-in, an app-server would refresh a token that is about to
            # expire, and this one may be ended at any moment.
            databases = {**inherited, "CODEX_SQLITE_HOME": str(home)}
            run_codex(binary, "app-server", home=probe, inherited=databases, given_up=given_up)
        except UnsupportedCodexError as error:
            raise _with_hint(error, home) from error
    _keep_no_logs(home)
    models = visible_models(catalogue)
    catalogues = _write_catalogues(home, catalogue)
    files = _fingerprints(home, (*_FILES, *catalogues.values()))
    stamp: dict[str, Any] = {
        "profile": PROFILE_REVISION,
        "binary": _identity(binary),
        "home": str(home),
        "version": version,
        "files": files,
        "catalogues": catalogues,
        "models": [asdict(model) for model in models],
    }
    # Last: a home without a stamp is not ready, whatever else a crash left in it.
    _replace(home / _STAMP, json.dumps(stamp))
    return Home(path=home, managed=True, version=version, models=models, files=files, catalogues=catalogues)


def _write_catalogues(home: Path, catalogue: dict[str, Any]) -> dict[str, str]:
    (home / FOLDER).mkdir(mode=0o700, exist_ok=True)
    written: dict[str, str] = {}
    for model, name, content in single_catalogues(catalogue):
        _replace(home / name, json.dumps(content, separators=(",", ":")))
        written[model] = name.as_posix()
    for old in (home / FOLDER).glob("*.json"):
        if f"{FOLDER}/{old.name}" not in written.values():
            old.unlink()
    return written


@contextmanager
def _probe(home: Path) -> Generator[Path]:
    """A CODEX_HOME without a sign-in, for commands that need none; a config.toml of another version cannot fail them
    there."""
    probe = home / ".probe"
    shutil.rmtree(probe, ignore_errors=True)
    probe.mkdir(exist_ok=True, mode=0o700)
    try:
        yield probe
    finally:
        shutil.rmtree(probe, ignore_errors=True)


def _keep_no_logs(home: Path) -> None:
    """Make codex's log database ignore what is written to it.

    It takes 31 KB a turn and is never made smaller (0.163 and 0.169: 92 MB after 3,000 turns), whatever RUST_LOG or the
    configuration say; nothing here reads it. A file that codex cannot open or write would be an error to it; an insert
    that has no effect is not.
    """
    import sqlite3
    from contextlib import closing

    for path in home.glob("logs_*.sqlite"):
        with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=1.0)) as database, database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                if not table.startswith(("sqlite_", "_sqlx_")):
                    trigger, name = (word.replace('"', '""') for word in (f"codex_oauth_keeps_no_{table}", table))
                    database.execute(
                        f'CREATE TRIGGER IF NOT EXISTS "{trigger}" BEFORE INSERT ON "{name}" '
                        "BEGIN SELECT RAISE(IGNORE); END"
                    )


def _with_hint(error: UnsupportedCodexError, home: Path) -> CodexOAuthError:
    last = error.stderr_tail.strip().splitlines()[-1:] or ["no message"]
    return UnsupportedCodexError(
        f"{home}: the app-server does not start there: {last[0][:300]}",
        exit_code=error.exit_code,
        stderr_tail=error.stderr_tail,
    )


def _model(fields: dict[str, Any]) -> Model:
    model = Model(**fields)
    return replace(model, efforts=tuple(model.efforts))


def _identity(binary: Binary) -> dict[str, Any]:
    return {"path": str(binary.path), "size": binary.size, "mtime_ns": binary.mtime_ns}


def _fingerprints(home: Path, names: Iterable[str]) -> dict[str, list[int]]:
    return {name: _fingerprint(home / name) for name in names}


def _fingerprint(path: Path) -> list[int]:
    # The change time too: an editor may put the size and the modification time back as they were.
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _replace(path: Path, text: str) -> None:
    # One name for the new file, under the lock: a crash leaves at most that one, and the next run writes over it.
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(new, path)
