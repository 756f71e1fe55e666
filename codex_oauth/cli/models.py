"""`codex-oauth models`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from codex_oauth.cli.options import Where, home_options, open_codex
from codex_oauth.cli.output import call, console, printable, to_json, waiting
from codex_oauth.models import choose_effort, choose_model, prefers

if TYPE_CHECKING:
    from codex_oauth.config import Settings
    from codex_oauth.types import Model

__all__ = ("command",)


@click.command("models")
@click.option("--all", "show_all", is_flag=True, help="Hidden ones too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@home_options
def command(show_all: bool, as_json: bool, where: Where) -> None:
    """List the models, their efforts, and the one that a call without --model would use."""
    codex = open_codex(where)
    with waiting("asking codex…"):
        models = call(codex.models)
    chosen = choose_model(models, codex.settings.model, codex.settings.model_preference)
    why = _why(chosen, codex.settings)
    shown = [model for model in models if show_all or not model.hidden]
    if as_json:
        to_json([{**asdict(m), "chosen": m == chosen, "why": why if m == chosen else None} for m in shown])
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "model", "name", "efforts", "default effort", "description"):
        table.add_column(heading, overflow="fold")
    for model in shown:
        mark = "→" if model == chosen else ("*" if model.default else "")
        name = f"{model.name} (hidden)" if model.hidden else model.name
        cells = (model.id, name, " ".join(model.efforts), model.default_effort or "", model.description)
        table.add_row(mark, *(escape(printable(cell)) for cell in cells))
    console().print(table)
    effort = choose_effort(chosen, codex.settings.effort)
    console().print(f"\n→ used by default, at effort {effort}: {why}.  * the account's default")


def _why(chosen: Model, settings: Settings) -> str:
    if settings.model:
        return "named in the configuration"
    if prefers(settings.model_preference, chosen):
        return "the first visible one that the preference list matches"
    return "no visible one matches the preference list, so it is the account's default"
