"""`codex-oauth complete`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from codex_oauth.cli.options import Where, call_options, open_codex
from codex_oauth.cli.output import call, printable, to_json, waiting
from codex_oauth.errors import ConfigurationError
from codex_oauth.types import as_object

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from codex_oauth.client import AsyncCodex
    from codex_oauth.stream import ReplyStream
    from codex_oauth.types import Reply

__all__ = ("command", "read_schema")


@click.command("complete")
@click.argument("prompt", required=False)
@click.option("--schema", type=click.Path(path_type=Path), help="A JSON Schema that the reply has to fit.")
@click.option("--instructions", metavar="TEXT", help="What the model is told before the prompt.")
@click.option(
    "--image",
    "images",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A PNG, JPEG, GIF or WebP; may be repeated.",
)
@click.option("--stream", "streamed", is_flag=True, help="Print the text as it comes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value: the output and what the call took.")
@call_options
def command(
    prompt: str | None,
    schema: Path | None,
    instructions: str | None,
    images: tuple[Path, ...],
    streamed: bool,
    as_json: bool,
    model: str | None,
    effort: str | None,
    timeout: float | None,
    where: Where,
) -> None:
    """Ask the model once. PROMPT is the question; with -, or without it, it is read from stdin.

    With --schema the reply is checked against it, and printed as JSON.

    \b
    Examples:
      codex-oauth complete 'Three primes above 100?'
      git diff | codex-oauth complete --instructions 'Write a commit message.'
      codex-oauth complete --schema answer.json 'Is 91 prime?'
    """
    if streamed and (as_json or schema is not None):
        raise click.UsageError("--stream prints text as it comes, so it goes with neither --json nor --schema")
    text = _read_prompt(prompt)
    arguments: dict[str, Any] = {
        "instructions": instructions,
        "output": read_schema(schema) if schema is not None else None,
        "images": images,
        "model": model,
        "effort": effort,
        "timeout": timeout,
    }
    codex = open_codex(where)
    if streamed:
        call(lambda: _stream(codex, text, arguments))
        return
    with waiting("asking…"):
        reply = cast("Reply[Any]", call(partial(codex.complete, text, **arguments)))
    if as_json:
        to_json(_described(reply))
    elif schema is not None:
        to_json(reply.output)
    else:
        click.echo(_shown(reply.text), color=True)


async def _stream(codex: AsyncCodex, text: str, arguments: dict[str, Any]) -> None:
    from codex_oauth.events import ItemStarted, TextDelta

    stream: AbstractAsyncContextManager[ReplyStream[Any]] = cast("Any", codex.stream(text, **arguments))
    commentary: set[str] = set()
    last: str | None = None
    async with stream as events:
        async for event in events:
            if isinstance(event, ItemStarted) and event.phase == "commentary":
                commentary.add(event.item_id)
            elif isinstance(event, TextDelta) and event.item_id not in commentary:
                between = "\n" if last not in (None, event.item_id) else ""
                last = event.item_id
                click.echo(between + _shown(event.text), nl=False, color=True)
    click.echo()


def _shown(text: str) -> str:
    # Into a file or a pipe the text goes as it is (`color=True` keeps click from editing it); only a terminal can be
    # played tricks on.
    return printable(text) if sys.stdout.isatty() else text


def _read_prompt(prompt: str | None) -> str:
    if prompt is not None and prompt != "-":
        return prompt
    if prompt is None and sys.stdin.isatty():
        raise click.UsageError("no prompt: give one, or pipe it in")
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"stdin is not UTF-8 (byte {error.start})") from None


def read_schema(path: Path) -> dict[str, Any]:
    """The JSON Schema in a file.

    Raises:
        ConfigurationError: The file cannot be read, or holds none.
    """
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ConfigurationError(f"{path}: not JSON{where}") from None
    schema = as_object(value)
    if schema is None:
        raise ConfigurationError(f"{path}: a JSON Schema is an object here")
    return schema


def _described(reply: Reply[Any]) -> dict[str, Any]:
    return {
        "output": reply.output,
        "model": reply.model,
        "effort": reply.effort,
        "usage": asdict(reply.usage),
        "account": {"kind": reply.account.kind, "plan": reply.account.plan},
        "timing": {name: value and round(value, 1) for name, value in asdict(reply.timing).items()},
        "repaired": reply.repaired,
        "warm": reply.warm,
        "turn_id": reply.turn_id,
    }
