"""The recorder that a client was asked for: by an argument, a variable, or the configuration file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias, cast

from codex_oauth.config import Settings
from codex_oauth.errors import ConfigurationError
from codex_oauth.recorder.file import FileSink
from codex_oauth.recorder.recorder import Recorder, RecordSink
from codex_oauth.recorder.tapes_sink import TapesSink
from codex_oauth.records import replace
from codex_oauth.switches import switch_of

__all__ = ("Recording", "default_file", "recorded_settings", "recorder_of")

Recording: TypeAlias = "str | os.PathLike[str] | bool | Recorder | RecordSink | Sequence[RecordSink] | None"
"""What `record=` takes: a file; True for the usual one; False for nothing at all; sinks; a recorder; None for what the
settings say."""


def default_file(settings: Settings) -> Path:
    """The file that is meant where none is named."""
    return settings.state_dir / "recorded.jsonl"


def recorded_settings(settings: Settings, record: str | os.PathLike[str] | bool) -> Settings:
    """The settings with what a caller said of the file, so that it goes where they go.

    Args:
        settings: What the configuration says.
        record: A file; True or `on` for the usual one; False or `off` for nothing at all, a tapes server included.

    Raises:
        ConfigurationError: The path is empty.
    """
    on = switch_of(record)
    if on is False:
        return replace(settings, record=None, record_tapes=None)
    return replace(settings, record=default_file(settings) if on else _named(cast("str | os.PathLike[str]", record)))


def recorder_of(settings: Settings, record: Recording = None) -> Recorder | None:
    """The recorder for a client; None where nothing is to be recorded. It touches no file.

    Args:
        settings: What the configuration says: the file, the tapes server, and whether secrets and images are kept.
        record: What the caller said. A file stands for the settings' file, and False for nothing at all; sinks and
            recorders stand for all that the settings name.

    Raises:
        ConfigurationError: It is none of these, or the address of the tapes server is not one.
    """
    if isinstance(record, Recorder):
        return record
    if isinstance(record, bool | str | os.PathLike):
        settings, record = recorded_settings(settings, record), None
    sinks: list[RecordSink] = []
    if record is not None:
        sinks += _checked(record)
    else:
        if settings.record is not None:
            sinks.append(FileSink(settings.record))
        if settings.record_tapes is not None:
            sinks.append(TapesSink(settings.record_tapes, spool=settings.state_dir / "tapes"))
    return Recorder(sinks, redact=settings.record_redact, images=settings.record_images) if sinks else None


def _named(path: str | os.PathLike[str]) -> Path:
    if not os.fspath(path):
        raise ConfigurationError("record= must be a path, and not empty; leave it out to record nothing")
    return Path(os.path.abspath(os.path.expanduser(path)))


def _checked(record: object) -> list[RecordSink]:
    # Callers without a type checker exist.
    sinks: list[object] = list(cast("Sequence[object]", record)) if isinstance(record, list | tuple) else [record]
    for sink in sinks:
        if isinstance(sink, type) or not isinstance(sink, RecordSink):
            kind = sink.__name__ if isinstance(sink, type) else type(sink).__name__
            raise ConfigurationError(
                f"record= takes a path, True, a Recorder, or sinks with write(record) and close(timeout); not {kind}"
            )
    return cast("list[RecordSink]", sinks)
