"""`codex-oauth gate explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codex_oauth.cli.judging import Asked, permission_request, request_options
from codex_oauth.cli.options import Where, call_options, open_codex
from codex_oauth.cli.output import call, folded, printable, styled, to_json, waiting

if TYPE_CHECKING:
    from codex_oauth.gate import Policy, Verdict

__all__ = ("command",)

_COLOUR = {"allow": "green", "deny": "red", "ask": "yellow"}


@click.command("explain")
@request_options
@click.option("--no-call", is_flag=True, help="Show the prompt only; no model is asked.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@call_options
def command(
    asked: Asked,
    policy: Path | None,
    no_call: bool,
    as_json: bool,
    model: str | None,
    effort: str | None,
    timeout: float | None,
    where: Where,
) -> None:
    """Judge one request and show everything: the exact prompt, the verdict, the rule, the time.

    The request is a shell command (--command), or on stdin the JSON that a hook gets. The policy is the one that a
    request from its folder would be judged by. Nothing is counted, escalated or recorded.

    \b
    Examples:
      codex-oauth gate explain --command 'git push --force'
      codex-oauth gate explain --no-call < request.json
    """
    from codex_oauth.gate.classifier import judge
    from codex_oauth.gate.prompt import instructions, request_text
    from codex_oauth.gate.situation import situation_of

    request = permission_request(asked)
    codex = open_codex(where)
    situation = situation_of(request, codex.settings, policy_file=policy)
    rendered = request_text(request, situation.context)
    told = instructions(situation.policy, request)

    def judged() -> Verdict:
        with waiting("judging…"):
            return call(
                lambda: judge(
                    request,
                    policy=situation.policy,
                    codex=codex,
                    rendered=rendered,
                    model=model,
                    effort=effort,
                    timeout=timeout,
                )
            )

    if as_json:
        value: dict[str, Any] = {
            "instructions": told,
            "input": rendered.text,
            "whole": rendered.whole,
            "secrets_removed": rendered.secrets,
            "policy": situation.policy.fingerprint,
            "notes": list(situation.notes),
            "verdict": None if no_call else judged().to_json(),
        }
        to_json(value)
        return
    # The prompt is there to be seen also where the call fails.
    _show("instructions", told)
    _show("input", rendered.text)
    facts = [f"{len(told) + len(rendered.text):,} characters", f"policy {situation.policy.fingerprint}"]
    if rendered.secrets:
        facts.append(f"{rendered.secrets} secret{'s' if rendered.secrets > 1 else ''} taken out")
    if not rendered.whole:
        facts.append("not shown whole, so it cannot be allowed")
    click.echo(f"prompt    {', '.join(facts)}")
    for note in situation.notes:
        click.echo(f"note      {folded(printable(note), 10)}")
    if not no_call:
        _verdict(judged(), situation.policy)


def _show(title: str, text: str) -> None:
    click.echo(styled(f"── {title} ", "cyan", bold=True))
    click.echo(printable(text) + "\n")


def _verdict(verdict: Verdict, policy: Policy) -> None:
    click.echo(f"verdict   {styled(verdict.behavior, _COLOUR[verdict.behavior], bold=True)} ({verdict.source})")
    click.echo(f"reason    {folded(printable(verdict.reason), 10)}")
    if verdict.deny_message:
        click.echo(f"message   {folded(printable(verdict.deny_message), 10)}")
    rule = policy.rule(verdict.rule) if verdict.rule else None
    click.echo(f"rule      {folded(printable(f'{rule.id} [{rule.kind}]: {rule.text}') if rule else 'none', 10)}")
    if verdict.timing is not None:
        marks = {name: getattr(verdict.timing, name) for name in ("thread", "first_text", "completed", "total")}
        told = ", ".join(f"{name.replace('_', ' ')} {at:.0f}" for name, at in marks.items() if at is not None)
        click.echo(f"time, ms  {told}")
        usage = verdict.usage
        click.echo(f"tokens    {usage.input:,} in ({usage.cached:,} cached), {usage.output:,} out")
        click.echo(f"model     {verdict.model} at effort {verdict.effort}")
