"""`codex-oauth batch`."""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from codex_oauth.cli.options import Where, call_options, open_codex
from codex_oauth.cli.output import say, to_json, waiting

if TYPE_CHECKING:
    from codex_oauth.batch import Tally
    from codex_oauth.cli.gate.running import Ending

__all__ = ("command",)


@click.command("batch")
@click.argument("questions", metavar="IN.jsonl", type=click.Path(path_type=Path))
@click.argument("answers", metavar="OUT.jsonl", type=click.Path(path_type=Path))
@click.option("--concurrency", type=click.IntRange(1, 64), default=8, show_default=True, help="Items at once.")
@click.option("--schema", type=click.Path(path_type=Path), help="A JSON Schema that the replies have to fit.")
@click.option("--instructions", metavar="TEXT", help="What the model is told before each prompt.")
@click.option("--retry-failed", is_flag=True, help="Ask the items again that have failed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value at the end: what became of the items.")
@call_options
def command(
    questions: Path,
    answers: Path,
    concurrency: int,
    schema: Path | None,
    instructions: str | None,
    retry_failed: bool,
    as_json: bool,
    model: str | None,
    effort: str | None,
    timeout: float | None,
    where: Where,
) -> None:
    """Ask many things, and go on where it was stopped.

    Each line of IN.jsonl is a JSON object with a prompt, and if you like an id, instructions, schema, model, effort and
    images of its own; or a JSON string, which is the prompt. The whole file is checked before the first call.

    Each line of OUT.jsonl is a result: id, line, and output (with a schema) or text, or an error; in the order in which
    they are done. The same command goes on after Ctrl-C, a usage limit or kill -9: what has an answer is not asked
    again. A call that failed may be tried again; --timeout is for each try.

    Exits with 1 if items have failed, else with 0. A usage limit, a missing sign-in and Ctrl-C stop the run with their
    own status.

    \b
    Examples:
      codex-oauth batch in.jsonl out.jsonl --schema answer.json
      codex-oauth batch in.jsonl out.jsonl --schema answer.json --retry-failed
    """
    from codex_oauth.batch import Defaults, open_batch, run_batch
    from codex_oauth.cli.batch_progress import showing
    from codex_oauth.cli.complete import read_schema
    from codex_oauth.cli.gate.running import run_to_its_end

    defaults = Defaults(
        instructions=instructions,
        schema=read_schema(schema) if schema is not None else None,
        model=model,
        effort=effort,
    )
    codex = open_codex(where)
    with (
        waiting("looking at the input…") as spinner,
        open_batch(questions, answers, defaults=defaults, retry_failed=retry_failed) as batch,
    ):
        spinner.stop()
        tally = batch.tally
        began, before = time.monotonic(), tally.done
        with showing(tally) as beside:
            run = partial(run_batch, batch, codex, concurrency=concurrency, timeout=timeout, beside=beside)
            ending = run_to_its_end(run)
        seconds = time.monotonic() - began
    for line in _summary(tally, tally.done - before, seconds, ending, answers):
        say(line)
    if as_json:
        to_json(_described(tally, seconds))
    ending.tell()
    if tally.failed:
        raise click.exceptions.Exit(1)


def _summary(tally: Tally, now: int, seconds: float, ending: Ending, answers: Path) -> list[str]:
    from codex_oauth.cli.batch_progress import failures
    from codex_oauth.metrics.words import count, span, tokens

    lines = [f"{count(tally.done)} of {count(tally.total)} done: {count(tally.answered)} answered{failures(tally)}"]
    if now:
        used = f"{tokens(tally.usage.input)} tokens in, {tokens(tally.usage.output)} out"
        lines.append(f"this run: {count(now)} in {span(seconds * 1000)}, {used}")
    if ending.early and tally.left:
        lines.append("to go on, run the same command again: what is done is kept, and not asked again")
    if tally.failed:
        lines.append("--retry-failed asks again what has failed")
    return [*lines, f"results: {answers}"]


def _described(tally: Tally, seconds: float) -> dict[str, object]:
    return {
        "total": tally.total,
        "answered": tally.answered,
        "failed": tally.failed,
        "left": tally.left,
        "errors": dict(sorted(tally.failures.items())),
        "usage": asdict(tally.usage),
        "seconds": round(seconds, 1),
    }
