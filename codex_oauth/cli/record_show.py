"""`codex-oauth record show`."""

from __future__ import annotations

import textwrap
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import click

from codex_oauth.cli.output import printable, styled, to_json
from codex_oauth.cli.record_file import open_records, read_all, say_what_was_skipped
from codex_oauth.errors import ConfigurationError
from codex_oauth.metrics.words import count, span
from codex_oauth.recorder.content import Content

__all__ = ("show_records",)


def show_records(file: Path | None, record_id: str | None, last: int, *, as_json: bool) -> None:
    """Print one record, or the last ones, without secrets.

    Raises:
        ConfigurationError: There is no file, or no such record.
    """
    found = open_records(file)
    if record_id is None:
        records = list(deque(read_all(found), maxlen=last))
    else:
        near = [record for record in read_all(found) if record["request_id"].startswith(record_id)]
        records = [_named(near, record_id)]
    say_what_was_skipped(found)
    if not records:
        raise ConfigurationError(f"{printable(str(found.path))}: holds no records")
    safe = [_without_secrets(record) for record in records]
    if as_json:
        to_json(safe if record_id is None else safe[0])
        return
    for number, record in enumerate(safe):
        if number:
            click.echo()
        _show(record)


def _named(records: Sequence[Mapping[str, Any]], record_id: str) -> Mapping[str, Any]:
    near = {record["request_id"]: record for record in records}
    if record_id in near:
        return near[record_id]
    if len(near) == 1:
        return next(iter(near.values()))
    shown = printable(record_id)
    if near:
        some = ", ".join(printable(name) for name in list(near)[:3])
        more = ", …" if len(near) > 3 else ""
        raise ConfigurationError(f"{count(len(near))} responses have ids that begin with {shown}: {some}{more}")
    raise ConfigurationError(f"no response with the id {shown}; codex-oauth record show --last 5 shows the last ones")


def _without_secrets(record: Mapping[str, Any]) -> dict[str, Any]:
    content = Content(redact=True, images=False, email=None)
    instructions = record["instructions"]
    return {
        **record,
        "instructions": None if instructions is None else content.text(instructions),
        "tools": [content.declaration(tool) for tool in record["tools"]],
        "schema": None if record["schema"] is None else content.declaration(record["schema"]),
        "input": [content.item(item) for item in record["input"]],
        "output": [content.item(item) for item in record["output"]],
    }


def _show(record: Mapping[str, Any]) -> None:
    usage, account = record["usage"], record["account"]
    what = " ".join(filter(None, (record["label"], record["project"] and f"of {record['project']}")))
    heading = f"{record['time']}  {record['request_id']}  {what}".rstrip()
    click.echo(click.style(printable(heading), bold=True))
    parts = [
        record["model"] + (f" ({record['effort']})" if record["effort"] else ""),
        span(record["timing"]["ms"]),
        f"{count(usage['input'])} tokens in, {count(usage['cached'])} of them cached",
        f"{count(usage['output'])} out, {count(usage['reasoning'])} of them reasoning",
        " ".join(str(word) for word in (account.get("kind"), account.get("plan")) if word),
    ]
    click.echo(printable("; ".join(filter(None, parts))))
    place = f"thread {record['thread_id']}, turn {record['turn_id']}, response {record['number']}"
    click.echo(printable(place if record.get("exact") else f"{place}; put together from codex's own items"))
    if record["instructions"]:
        _part("instructions", "cyan", record["instructions"])
    if record["tools"]:
        _part("tools", "cyan", ", ".join(str(tool.get("name")) for tool in record["tools"]))
    for item in record["input"]:
        _item(item, "blue")
    click.echo(styled("answer", "green", bold=True))
    for item in record["output"]:
        _item(item, "green")


def _item(item: Mapping[str, Any], colour: str) -> None:
    match item.get("type"):
        case "message":
            phase = f" ({item['phase']})" if item.get("phase") == "commentary" else ""
            _part(f"{item.get('role')}{phase}", colour, _text(item.get("content")))
        case "function_call" | "custom_tool_call":
            _part(
                f"call of {item.get('name')} {item.get('call_id')}",
                colour,
                str(item.get("arguments") or item.get("input") or ""),
            )
        case "function_call_output" | "custom_tool_call_output":
            _part(f"output of {item.get('call_id')}", colour, _text(item.get("output")))
        case "reasoning":
            _part("reasoning", colour, _text(item.get("summary")) or "(not told)")
        case kind:
            _part(str(kind), colour, "")


def _text(content: object) -> str:
    if not isinstance(content, list):
        return str(content or "")
    return "\n".join(
        f"[image: {str(part.get('image_url') or '')[:120]}]"
        if part.get("type") == "input_image"
        else str(part.get("text") or part.get("refusal") or "")
        for part in cast("Sequence[Mapping[str, Any]]", content)
    )


def _part(heading: str, colour: str, text: str) -> None:
    click.echo(styled(printable(heading), colour))
    if text:
        click.echo(textwrap.indent(printable(text), "  ", lambda line: True))  # noqa: ARG005 - empty lines too
