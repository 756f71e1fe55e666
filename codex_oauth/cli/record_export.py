"""`codex-oauth record export`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from codex_oauth.cli.output import printable, say
from codex_oauth.cli.record_file import open_records, read_all, say_what_was_skipped
from codex_oauth.errors import ConfigurationError
from codex_oauth.recorder.export import ImagesLeftOut, chat_example, last_of_threads
from codex_oauth.recorder.tapes import tapes_payload

__all__ = ("export_records",)


def export_records(file: Path | None, form: str, label: str | None, output: Path | None) -> None:
    """Print the records in another form, or write them to a new file that its owner alone can read.

    Raises:
        ConfigurationError: There is no file, or the output is there already or cannot be written.
    """
    found = open_records(file)
    records = (record for record in read_all(found) if label is None or record["label"] == label)
    values = _converted(records, form)
    if output is None:
        for value in values:
            click.echo(json.dumps(value))
    else:
        _write(output, values)
    say_what_was_skipped(found)


def _converted(records: Iterable[Mapping[str, Any]], form: str) -> Iterator[Mapping[str, Any]]:
    left_out = 0
    if form == "jsonl":
        yield from records
    elif form == "tapes":
        for record in records:
            payload = tapes_payload(record)
            left_out += payload is None
            if payload is not None:
                yield payload
        if left_out:
            say(f"codex-oauth: responses without output, which were left out: {left_out:,}")
    else:
        for record in last_of_threads(records):
            try:
                yield chat_example(record)
            except ImagesLeftOut:
                left_out += 1
        if left_out:
            say(f"codex-oauth: conversations with images that were not kept, which were left out: {left_out:,}")


def _write(path: Path, values: Iterable[Mapping[str, Any]]) -> None:
    shown = printable(str(path))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii", newline="\n") as file:
            file.writelines(json.dumps(value) + "\n" for value in values)
    except FileExistsError:
        raise ConfigurationError(f"{shown}: is there already; choose another name") from None
    except OSError as error:
        raise ConfigurationError(f"{shown}: cannot be written: {error.strerror}") from error
