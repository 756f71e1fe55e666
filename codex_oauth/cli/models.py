"""`codex-oauth models`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from codex_oauth.cli.options import home_options, open_codex
from codex_oauth.cli.output import call, console, printable, to_json, waiting
from codex_oauth.models import choose_effort, choose_model, prefers

__all__ = ("command",)


@click.command("models")
@click.option("--all", "show_all", is_flag=True, help="Hidden ones too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@home_options
def command(show_all: bool, as_json: bool, home: Path | None, codex_home: Path | None, codex_bin: Path | None) -> None:
    """List the models, their efforts, and the one that a call without --model would use."""
    codex = open_codex(home, codex_home, codex_bin)
    with waiting("asking codex…"):
        models = call(codex.models)
    chosen = choose_model(models, codex.settings.model, codex.settings.model_preference)
    shown = [model for model in models if show_all or not model.hidden]
    if as_json:
        to_json([{**asdict(model), "chosen": model == chosen} for model in shown])
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "model", "efforts", "default effort", "description"):
        table.add_column(heading, overflow="fold")
    for model in shown:
        mark = "→" if model == chosen else ("*" if model.default else "")
        efforts = " ".join(model.efforts)
        cells = (model.id, efforts, model.default_effort or "", model.description)
        table.add_row(mark, *(escape(printable(cell)) for cell in cells))
    console().print(table)
    effort = choose_effort(chosen, codex.settings.effort)
    if codex.settings.model:
        why = "named in the configuration"
    elif prefers(codex.settings.model_preference, chosen):
        why = "the first visible one that the preference list matches"
    else:
        why = "no visible one matches the preference list, so it is the account's default"
    console().print(f"\n→ used by default, at effort {effort}: {why}.  * the account's default")
