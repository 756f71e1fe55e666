"""`codex-oauth gate replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from codex_oauth.cli.gate.running import progress, run_to_its_end, running_options
from codex_oauth.cli.options import Where, open_codex
from codex_oauth.cli.output import folded, printable, styled, to_json
from codex_oauth.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime

    from codex_oauth.gate.evaluation.replaying import Recording, Replay, Replayed

__all__ = ("command",)

_COLOURS: Final = {"allow": "green", "deny": "red", "ask": "yellow"}
_MOST_DAYS: Final = 3_660
_STOOD_IN: Final = {"escalated": "was escalated", "nobody": "nobody could be asked"}


@click.command("replay")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--days", type=click.IntRange(1, _MOST_DAYS), metavar="N", help="Only the last days, with today.")
@running_options
def command(
    file: Path | None,
    days: int | None,
    policy: Path | None,
    limit: int | None,
    concurrency: int,
    as_json: bool,
    model: str | None,
    effort: str | None,
    timeout: float | None,
    where: Where,
) -> None:
    """Judge recorded requests again, and show what would differ.

    The records are the gate's lines in the metrics file, or in FILE. Each is judged by the policy that would count for
    it now; identical requests are judged once, and with --limit the latest ones. What was a question to the person
    anyway, or had no verdict, is left out.

    A replay knows less than the gate did. The conversation was not recorded, and secrets were taken out: a verdict may
    differ for that alone. Nor need a model say the same twice: where the policy is the same as before, this is said. A
    verdict that stood in for the model's, after too many denials or since nobody could be asked, is marked.

    Each request is a call that the plan pays for. Nothing is carried out, and nothing goes into the metrics.

    \b
    Examples:
      codex-oauth gate replay --days 7 --limit 50
      codex-oauth gate replay --policy draft.toml --json
    """
    from codex_oauth.gate.evaluation.policy_of import policies
    from codex_oauth.gate.evaluation.replaying import Replay, read_recorded, replay

    codex = open_codex(where)
    path = file or codex.settings.metrics
    if path is None:
        from codex_oauth.cli.metrics_setting import metrics_are_off

        raise ConfigurationError(f"{metrics_are_off(codex.settings)}; or name a FILE of records")
    if not path.exists() and not path.with_name(path.name + ".1").exists():
        raise ConfigurationError(f"{printable(str(path))}: no such file; the gate's first request makes it")
    recording = read_recorded(path, since=_midnight(days) if days else None)
    requests = recording.requests[:limit]
    policy_of = policies(codex.settings, file=policy, by_folder=True)
    for recorded in requests:
        policy_of(recorded.request)  # a policy that is wrong says so before anything is judged
    replayed: list[Replayed] = []

    with progress("judging", len(requests)) as advance:

        def done(one: Replayed) -> None:
            replayed.append(one)
            advance(f"{sum(each.changed for each in replayed)} changed")

        async def run() -> None:
            async with codex:
                await replay(
                    requests,
                    policy_of=policy_of,
                    codex=codex,
                    done=done,
                    concurrency=concurrency,
                    model=model,
                    effort=effort,
                    timeout=timeout,
                )

        ending = run_to_its_end(run)
    result = Replay(replayed, len(requests))
    if as_json:
        to_json({**_records(recording), **result.to_json()})
    elif replayed or not ending.early:
        _show(result, recording)
    ending.tell()


def _midnight(days: int) -> datetime:
    from datetime import datetime, timedelta

    first = datetime.now().astimezone() - timedelta(days=days - 1)
    return first.replace(hour=0, minute=0, second=0, microsecond=0)


def _records(recording: Recording) -> dict[str, object]:
    return {
        "recorded": recording.recorded,
        "distinct": len(recording.requests),
        "skipped": dict(recording.skipped),
    }


def _show(result: Replay, recording: Recording) -> None:
    from codex_oauth.gate.evaluation.replaying import NOT_RECORDED
    from codex_oauth.metrics.words import count, visible

    changes = result.changes
    judged = len(result.replayed) - len(result.failed)
    click.echo(f"{count(len(changes))} of {count(judged)} verdicts would differ")
    for one in changes:
        _change(one)
    for one in result.failed:
        start = f"no verdict ({one.to_json()['error']})  {visible(one.recorded.request.tool, 40)}  "
        click.echo(f"{start}{_what(one, len(start))}")
    numbers = result.to_json()
    click.echo()
    for step, number in numbers["changes"].items():
        click.echo(f"{step:<14} {count(number)}")
    click.echo(f"{'the same':<14} {count(numbers['unchanged'])}, {count(numbers['other_rule'])} by another rule")
    if result.failed:
        click.echo(f"{'no verdict':<14} {count(len(result.failed))}")
    if len(result.replayed) < result.selected:
        click.echo(f"{'not judged':<14} {count(result.selected - len(result.replayed))}")
    if numbers["same_policy"]:
        own, others = numbers["models_own"], sum(one.same_policy and not one.models_own for one in changes)
        told = f"{count(own)} of them with a difference, the model's own" if own else "no difference of the model's own"
        more = f"; {count(others)} with one since the old verdict stood in for the model's" if others else ""
        click.echo(f"{'same policy':<14} {count(numbers['same_policy'])}, {told}{more}")
    left_out = "".join(f"; {count(number)} left out, {why}" for why, number in recording.skipped.items())
    click.echo(
        f"{'records':<14} {count(recording.recorded)}, {count(len(recording.requests))} different ones{left_out}"
    )
    click.echo()
    click.echo(folded(NOT_RECORDED))


def _change(one: Replayed) -> None:
    from codex_oauth.metrics.words import visible

    recorded, verdict = one.recorded, one.verdict
    assert verdict is not None
    old_rule = recorded.rule or f"({recorded.source})"
    new_rule = verdict.rule or f"({verdict.source})"
    old, new = (styled(word, _COLOURS[word]) for word in (recorded.behavior, verdict.behavior))
    rules = visible(f"{old_rule} -> {new_rule}", 80)
    tool = visible(recorded.request.tool, 40)
    used = len(recorded.behavior) + len(verdict.behavior) + len(rules) + len(tool) + 10
    click.echo(f"{old} -> {new}  {rules}  {tool}  {_what(one, used)}")
    marks = [
        f"{recorded.times} times" if recorded.times > 1 else "",
        _STOOD_IN.get(recorded.source, ""),
        "same policy as before" if one.same_policy else "",
        "long, was cut" if recorded.cut else "",
        "without its secrets" if recorded.redacted else "",
    ]
    told = "; ".join(mark for mark in marks if mark)
    click.echo(f"    {folded(visible(verdict.reason, 4_000) + (f' [{told}]' if told else ''), 4)}")


def _what(one: Replayed, used: int) -> str:
    from codex_oauth.cli.gate.scoreboard import whole
    from codex_oauth.metrics.records import asked_for

    request = one.recorded.request
    return whole(asked_for(request.tool, dict(request.tool_input)), used)
