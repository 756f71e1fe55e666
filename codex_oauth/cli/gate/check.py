"""`codex-oauth gate check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from codex_oauth.cli.gate.shown import heading, repository_here, show_rule, show_value
from codex_oauth.cli.output import folded, printable, say, styled, to_json
from codex_oauth.config import load_settings

if TYPE_CHECKING:
    from codex_oauth.config import Settings
    from codex_oauth.gate.policy import Policy
    from codex_oauth.gate.policy.layers import LoadedPolicy, Source
    from codex_oauth.gate.request import Host

__all__ = ("command",)

_COLOURS = {"counted": "green", "absent": "bright_black", "passed over": "yellow", "broken": "red"}
_WORDS = {"absent": "not there"}
_LAYERS = 15
"""Columns for the name of a layer; the longest is `main worktree`."""


@click.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--policy", type=click.Path(path_type=Path), metavar="FILE", help="The same as FILE.")
@click.option("--host", type=click.Choice(["claude", "codex"]), help="Whose requests.  [default: what holds for both]")
@click.option(
    "--mode",
    type=click.Choice(["default", "acceptEdits", "plan", "dontAsk", "bypassPermissions"]),
    default="default",
    show_default=True,
    help="The permission mode of the requests.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
def command(file: Path | None, policy: Path | None, host: str | None, mode: str, as_json: bool) -> None:
    """Read the policy as a request from this folder would, and show what it makes: rules, settings, where from.

    With FILE, that file over the built-in rules, instead of yours and the repository's. Lines with ! warn of what
    permits more than few would want. Exits with 2 if a file that counts is wrong, and names everything that is wrong.
    """
    from codex_oauth.gate.policy.layers import read_layers

    if file is not None and policy is not None:
        raise click.UsageError("FILE and --policy FILE are the same: give one of them")
    file = file or policy
    settings = load_settings()
    loaded = read_layers(
        settings,
        host=cast("Host | None", host),
        mode=mode,
        git=None if file is not None else repository_here(),
        file=file,
    )
    broken = [source for source in loaded.sources if source.state == "broken"]
    if as_json:
        to_json(_described(loaded, host, mode))
    else:
        unusual = "" if mode == "default" else " (not the default one)"
        click.echo(f"policy for {host or 'any host'}, mode {mode}{unusual}")
        heading("layers")
        for source in loaded.sources:
            _show_source(source)
        if not broken:
            _show_policy(loaded, settings)
    for source in broken:
        for problem in source.problems:
            say(f"codex-oauth: {printable(problem.at(source.path))}")
    if broken:
        raise click.exceptions.Exit(2)


def _show_source(source: Source) -> None:
    state = styled(_WORDS.get(source.state, source.state), _COLOURS[source.state])
    # A path stays on one line, to be copied.
    path = f"  {printable(str(source.path))}" if source.path else ""
    click.echo(f"  {source.layer:<{_LAYERS}}{state}{path}")
    indent = " " * (_LAYERS + 2)
    if source.why:
        click.echo(indent + folded(printable(source.why), _LAYERS + 2))
    if source.also:
        click.echo(indent + folded(f"also: {', '.join(source.also)}; see --host, --mode", _LAYERS + 2))
    if source.mend:
        click.echo(f"{indent}→ {printable(source.mend)}")


def _show_policy(loaded: LoadedPolicy, settings: Settings) -> None:
    from codex_oauth.gate.policy.loosening import reckless

    policy = loaded.policy
    heading(f"rules ({len(policy.rules)})")
    for rule in policy.rules:
        before = loaded.replaced.get(rule.id)
        instead = f", in place of {before.layer}'s {before.rule.kind}" if before else ""
        show_rule(rule, f"{loaded.origins[rule.id]}{instead}")
    if loaded.switched_off:
        heading("switched off")
        for name, origin in loaded.switched_off.items():
            click.echo(f"  {name}  ({origin})")
    heading("settings")
    for name, value in _settings(policy).items():
        if name == "on_failure":
            denied = ", ".join(policy.on_failure)
            show_value(name, f"deny for {denied}; ask for all others" if denied else "ask")
        else:
            show_value(name, value if value is not None else _by_default(name, settings))
    warnings = reckless(policy)
    if warnings:
        click.echo()
    for warning in warnings:
        click.echo(styled("!", "yellow", bold=True) + f" {folded(warning, 2)}")
    click.echo(f"\nfingerprint  {policy.fingerprint}")


def _by_default(name: str, settings: Settings) -> str:
    if name == "timeout":
        return f"{settings.timeout:g}"
    usual = settings.model if name == "model" else settings.effort
    return usual or ("the first of the small tier" if name == "model" else "the model's lowest")


def _settings(policy: Policy) -> dict[str, Any]:
    return {
        "on_uncertain": policy.on_uncertain,
        "when_nobody": policy.when_nobody,
        "on_failure": dict(policy.on_failure),
        "model": policy.model,
        "effort": policy.effort,
        "timeout": policy.timeout,
        "cache": policy.cache,
        "transcript": policy.transcript,
        "host_permissions": policy.host_permissions,
        "environment": policy.environment,
    }


def _described(loaded: LoadedPolicy, host: str | None, mode: str) -> dict[str, Any]:
    from codex_oauth.gate.policy.loosening import reckless

    broken = any(source.state == "broken" for source in loaded.sources)
    value: dict[str, Any] = {
        "ok": not broken,
        "host": host,
        "mode": mode,
        "layers": [
            {
                "layer": source.layer,
                "path": str(source.path) if source.path else None,
                "state": source.state,
                "why": source.why or None,
                "mend": source.mend or None,
                "problems": [{"line": problem.line, "message": problem.message} for problem in source.problems],
                "also": list(source.also),
            }
            for source in loaded.sources
        ],
        "policy": None,
    }
    if not broken:
        # No policy at all with a broken file: what the others make is nothing that anything is judged by.
        value["policy"] = {
            "fingerprint": loaded.policy.fingerprint,
            "rules": [
                {
                    "id": rule.id,
                    "kind": rule.kind,
                    "text": rule.text,
                    "deny_message": rule.deny_message,
                    "remember": rule.remember,
                    "from": loaded.origins[rule.id],
                    "in_place_of": _replaced(loaded, rule.id),
                }
                for rule in loaded.policy.rules
            ],
            "switched_off": [{"id": name, "by": origin} for name, origin in loaded.switched_off.items()],
            "settings": _settings(loaded.policy),
            "warnings": list(reckless(loaded.policy)),
        }
    return value


def _replaced(loaded: LoadedPolicy, name: str) -> dict[str, str] | None:
    before = loaded.replaced.get(name)
    return {"layer": before.layer, "kind": before.rule.kind, "text": before.rule.text} if before else None
