"""`codex-oauth record`: what was recorded, shown, counted and handed on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

__all__ = ("command",)


def _file_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--file",
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="Another file of records; the one before it, PATH.1, is read too.  [env: CODEX_OAUTH_RECORD]",
    )(command)


@click.group("record")
def command() -> None:
    """Look at what was recorded: what the model was sent, and what it answered.

    Nothing is recorded unless it is asked for: by --record, CODEX_OAUTH_RECORD, or `[record]` in the configuration
    file. These commands read files, and ask nobody anything.
    """


@command.command("show", short_help="Show a response with its request, or the last ones.")
@click.argument("record_id", metavar="[ID]", required=False)
@click.option("--last", type=click.IntRange(1, 1_000_000), metavar="N", help="The last N responses.  [default: 1]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@_file_option
def _show(record_id: str | None, last: int | None, as_json: bool, file: Path | None) -> None:
    """Show one response with its request, or the last ones.

    ID is a response's request_id, or enough of its beginning to tell it from others. Secrets are left out, also of what
    was recorded with them.
    """
    if record_id is not None and last is not None:
        raise click.UsageError("give an ID or --last, not both")
    from codex_oauth.cli.record_show import show_records

    show_records(file, record_id, last or 1, as_json=as_json)


@command.command("stats", short_help="Count responses, and what waits for a tapes server.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@_file_option
def _stats(as_json: bool, file: Path | None) -> None:
    """Count the responses, by day, model and label, and what waits for a tapes server or was refused by it."""
    from codex_oauth.cli.record_stats import show_stats

    show_stats(file, as_json=as_json)


@command.command("export", short_help="Print what was recorded in another program's form.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "openai-chat", "tapes"]),
    default="jsonl",
    show_default=True,
    help="The records themselves; a conversation a line, for fine-tuning; what a tapes server takes.",
)
@click.option("--label", metavar="NAME", help="Only calls of this label, such as complete.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Write a new file instead of stdout.")
@_file_option
def _export(form: str, label: str | None, output: Path | None, file: Path | None) -> None:
    """Print what was recorded, a JSON value a line, in the form that another program reads.

    openai-chat takes the last response of each thread, with all that came before it; a conversation with images that
    were not kept is left out. tapes is a payload a line, as POST /v1/ingest takes them.
    """
    from codex_oauth.cli.record_export import export_records

    export_records(file, form, label, output)
