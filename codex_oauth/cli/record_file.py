"""Which file `codex-oauth record` reads, and what is said of its lines that are no records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codex_oauth.cli.output import printable, say
from codex_oauth.config import load_settings
from codex_oauth.errors import ConfigurationError
from codex_oauth.recorder.opening import default_file
from codex_oauth.recorder.reading import RecordFile

if TYPE_CHECKING:
    from codex_oauth.config import Settings

__all__ = ("open_records", "read_all", "say_what_was_skipped")


def open_records(file: Path | None, settings: Settings | None = None) -> RecordFile:
    """The file that was named, else the one that the settings name, else the usual one.

    Raises:
        ConfigurationError: There is no such file.
    """
    named = file
    if named is None:
        settings = settings or load_settings()
        named = settings.record or default_file(settings)
    found = RecordFile(named)
    if not found.files:
        if file is not None:
            raise ConfigurationError(f"{printable(str(named))}: no such file")
        raise ConfigurationError(
            f"nothing was recorded yet: {printable(str(named))} is made by the first call with recording on "
            "(--record, CODEX_OAUTH_RECORD=on, or [record] in the configuration file)"
        )
    return found


def read_all(found: RecordFile) -> Iterator[dict[str, Any]]:
    """Its records.

    Raises:
        ConfigurationError: It cannot be read.
    """
    try:
        yield from found
    except OSError as error:
        raise ConfigurationError(f"{printable(str(found.path))}: cannot be read: {error.strerror}") from error


def say_what_was_skipped(found: RecordFile) -> None:
    """Say how many lines were passed over, if any were."""
    if found.skipped:
        say(f"codex-oauth: lines that are no records and were left out: {found.skipped:,}")
    if found.newer:
        say(f"codex-oauth: records of a later version of codex-oauth, which were left out: {found.newer:,}")
