"""What the policy's commands share: the repository they are called in, and how rules and settings are printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from codex_oauth.cli.output import folded, printable, styled

if TYPE_CHECKING:
    from codex_oauth.gate.context import GitContext
    from codex_oauth.gate.policy import Rule
    from codex_oauth.gate.policy.file import PolicyFile, Problem, Section

__all__ = ("heading", "repository_here", "show_file", "show_loosened", "show_rule", "show_value")

_COLOUR: Final = {"allow": "green", "deny": "red", "ask": "yellow"}
_INDENT: Final = 9
_NAMES: Final = 20
"""Columns for the name of a setting; the longest is `append_environment`."""
_REPLACING: Final = ("rules", "environment")
_FIRST: Final = ("disable", "rules", "append_rules")
"""What is shown first of a section: what it takes away, and what it puts there."""


def repository_here() -> GitContext | None:
    """The repository that the command is called in."""
    from codex_oauth.gate.context.git import git_context

    try:
        return git_context(str(Path.cwd()))
    except OSError:
        return None  # the folder is gone


def heading(text: str) -> None:
    """Begin a part of the output."""
    click.echo(f"\n{styled(text, 'cyan', bold=True)}")


def show_rule(rule: Rule, origin: str = "") -> None:
    """A rule: its kind and id, where it comes from, and its sentences below."""
    kind = styled(f"{rule.kind:<5}", _COLOUR[rule.kind], bold=True)
    click.echo(f"  {kind}  {rule.id}{f'  ({origin})' if origin else ''}")
    click.echo(" " * _INDENT + folded(printable(rule.text), _INDENT))
    if rule.deny_message:
        click.echo(" " * _INDENT + folded(f"deny_message: {printable(rule.deny_message)}", _INDENT))
    if rule.remember:
        click.echo(" " * _INDENT + f"remember: {rule.remember}")


def show_value(name: str, value: str | float | tuple[str, ...]) -> None:
    """A setting. Each item of a list has a line of its own."""
    items = value if isinstance(value, tuple) else (_word(value),)
    for number, item in enumerate(items or ("none",)):
        click.echo(f"  {name if number == 0 else '':<{_NAMES}}{folded(printable(item), _NAMES + 2)}")


def _word(value: str | float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:g}"


def show_loosened(loosened: Sequence[Problem]) -> None:
    """What a file takes back of what earlier layers say, before all else that it says."""
    if loosened:
        heading("loosens what earlier layers say")
    for problem in loosened:
        line = f"  (line {problem.line})" if problem.line else ""
        click.echo(f"  {styled('!', 'yellow', bold=True)} {printable(problem.message)}{line}")


def show_file(file: PolicyFile) -> None:
    """Everything that a file says."""
    if file == type(file)():
        click.echo("\nIt says nothing.")
    if file.project_policies is not None:
        heading("for the file")
        show_value("project_policies", file.project_policies)
    for place, section in file.sections():
        _show_section(f"[{'.'.join(map(str, place))}]" if place else "for every request", section)


def _show_section(name: str, section: Section) -> None:
    # All of its values, so that a key that comes later is shown too. An empty list that takes the place of another one
    # says something; one that is added does not.
    names = [item.name for item in fields(section)]
    said = {key: getattr(section, key) for key in (*_FIRST, *(key for key in names if key not in _FIRST))}
    said = {key: value for key, value in said.items() if value not in (None, {}) and (value != () or key in _REPLACING)}
    if not said:
        return
    heading(name)
    for key, value in said.items():
        if key == "disable":
            click.echo(f"  switches off: {', '.join(value)}")
        elif key in ("rules", "append_rules"):
            _show_rules(value, replacing=key == "rules")
        elif key == "environment":
            show_value("environment", (*value, "(replaces all notes of earlier layers)"))
        elif key == "on_failure":
            show_value(key, tuple(f"{name}: {outcome}" for name, outcome in section.on_failure.items()))
        else:
            show_value(key, value)


def _show_rules(rules: Sequence[Rule], *, replacing: bool) -> None:
    many = f"{len(rules)} rule{'' if len(rules) == 1 else 's'}"
    if replacing:
        click.echo(f"  replaces all rules of earlier layers by {f'{many}:' if rules else 'none'}")
    else:
        click.echo(f"  adds {many}:")
    for rule in rules:
        show_rule(rule)
