"""The words of `codex-oauth gate eval`."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from codex_oauth.cli.output import folded, styled
from codex_oauth.gate.evaluation.scores import percentile
from codex_oauth.metrics.bounds import ends
from codex_oauth.metrics.words import count, percent, span, visible

if TYPE_CHECKING:
    from codex_oauth.gate.evaluation.scores import Judged, Mistake, Scores

__all__ = ("show", "table", "whole")

_COLOURS: Final = {"allow": "green", "deny": "red", "ask": "yellow"}
_HEADINGS: Final[tuple[tuple[Mistake, str, str], ...]] = (
    ("false_allow", "false allows", "red"),
    ("false_deny", "false denies", "yellow"),
    ("needless_ask", "needless asks", "yellow"),
    ("missed_ask", "missed asks", "yellow"),
)
_LONGEST: Final = 4_000
_MARGIN: Final = 8
"""Columns in front of a command's later lines: more than in front of the reason, which follows."""
_SOME: Final = 12
"""Columns that a command's first line has at least, or it begins on the next."""


def show(scores: Scores, *, labelled_for_other_rules: bool) -> None:
    """Print the scores: the false allows before all else.

    Args:
        scores: The scores.
        labelled_for_other_rules: Whether the labels are for other rules than those that it was judged by.
    """
    false_allows = len(scores.mistakes("false_allow"))
    of = f"{count(false_allows)} of {count(scores.must_not_be_allowed)} that must not be allowed"
    colour = "red" if false_allows else "green"
    click.echo(f"false allows  {styled(percent(scores.false_allow_rate), colour, bold=True)}  ({of})")
    right = sum(one.right for one in scores.judged)
    click.echo(f"accuracy      {percent(scores.accuracy)}  ({count(right)} of {count(len(scores.with_verdict))} right)")
    if len(scores.judged) < scores.selected:
        left = scores.selected - len(scores.judged)
        click.echo(styled(f"not whole     {count(left)} of {count(scores.selected)} were not judged", "yellow"))
    if labelled_for_other_rules:
        click.echo(
            folded(
                "note: the shipped requests are labelled for the built-in rules; what your policy decides otherwise on "
                "purpose is counted as a mistake here"
            )
        )
    for kind, heading, tint in _HEADINGS:
        _mistakes(heading, tint, scores.mistakes(kind))
    _failures(scores.failed)
    if scores.with_verdict:
        _confusion(scores)
        _tags(scores)
        _measures(scores)


def _mistakes(heading: str, colour: str, found: Sequence[Judged]) -> None:
    if not found:
        return
    click.echo(f"\n{styled(f'{heading}: {count(len(found))}', colour, bold=True)}")
    for one in found:
        labelled, outcome = one.labelled, one.outcome
        behavior = outcome.behavior or ""
        rule = visible(outcome.rule or f"({outcome.source})", 40)
        got = styled(behavior, _COLOURS.get(behavior, "reset"))
        start = f"{visible(labelled.id, 40)}  {visible(labelled.request.tool, 40)}  {labelled.expected} -> "
        used = len(start) + len(behavior) + len(rule) + 4
        click.echo(f"{start}{got}  {rule}  {whole(one.what, used)}")
        click.echo(f"    {folded(visible(outcome.reason, _LONGEST), 4)}")


def _failures(found: Sequence[Judged]) -> None:
    if not found:
        return
    kinds = Counter(one.outcome.error or "other" for one in found)
    told = ", ".join(f"{name} {number}" for name, number in kinds.most_common())
    click.echo(f"\n{styled(f'no verdict: {count(len(found))}', 'magenta', bold=True)}  ({told})")
    for one in found:
        start = f"{visible(one.labelled.id, 40)}  {visible(one.labelled.request.tool, 40)}  {one.outcome.error}  "
        click.echo(f"{start}{whole(one.what, len(start))}")


def _confusion(scores: Scores) -> None:
    click.echo("\nexpected (rows) and got (columns)")
    confusion = scores.confusion
    rows = [(expected, *map(count, got.values())) for expected, got in confusion.items()]
    table(("", *confusion), rows)
    accepted = sum(one.right and one.outcome.behavior != one.labelled.expected for one in scores.judged)
    if accepted:
        click.echo(f"{count(accepted)} off the diagonal are right as well, by the request's own label")


def _tags(scores: Scores) -> None:
    flawed = [score for score in scores.tags if score.right < score.judged]
    rest = len(scores.tags) - len(flawed)
    if flawed:
        click.echo()
        rows = [
            (
                visible(score.tag, 32),
                count(score.judged),
                count(score.right),
                percent(score.right / score.judged),
                count(score.false_allows),
            )
            for score in flawed
        ]
        table(("tag", "judged", "right", "accuracy", "false allows"), rows)
    if rest:
        click.echo(f"tags without a mistake: {count(rest)}")


def _measures(scores: Scores) -> None:
    usage = scores.usage
    agreeing, told = scores.rule_agreement
    latencies = scores.latencies
    click.echo()
    if told:
        click.echo(f"rule      {count(agreeing)} of {count(told)} right verdicts rest on the expected rule")
    click.echo(f"latency   p50 {span(percentile(latencies, 50))}, p95 {span(percentile(latencies, 95))}")
    click.echo(f"tokens    {count(usage.input)} in ({count(usage.cached)} cached), {count(usage.output)} out")
    models = sorted({one.outcome.model for one in scores.judged if one.outcome.model})
    click.echo(f"model     {visible(', '.join(models) or 'none', 200)}")
    _policies(scores)


def _policies(scores: Scores) -> None:
    """The fingerprints, and for whom each policy was."""
    found: dict[str, dict[str, set[str]]] = {}
    for one in scores.judged:
        hosts = found.setdefault(one.outcome.policy, {})
        hosts.setdefault(one.labelled.host, set()).add(one.labelled.request.mode or "no mode")
    for number, (policy, hosts) in enumerate(sorted(found.items())):
        told = "; ".join(f"{host}: {visible(', '.join(sorted(modes)), 200)}" for host, modes in sorted(hosts.items()))
        # One needs no explanation.
        where = f"  {told}" if len(found) > 1 else ""
        click.echo(f"{'' if number else 'policy':<10}{folded(f'{policy}{where}', 24)}")
    if len(found) > 1:
        click.echo(" " * 10 + folded("one policy for each host and mode whose rules are others", 10))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A heading and its rows, each a line: the first column stands left, the others, which are numbers, right."""
    wide = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in (heads, *rows):
        cells = [
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, wide, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def whole(text: str, used: int) -> str:
    """Foreign text, all of it, for what is dangerous may stand at its end: in one line, or on a terminal in as many as
    it takes. Of what is very long, the middle is left out, and counted.

    Args:
        text: The text.
        used: Columns of its first line that are taken.
    """
    seen = visible(ends(text, _LONGEST), 16 * _LONGEST)
    if not sys.stdout.isatty():
        return seen
    from rich.cells import cell_len, chop_cells

    columns = max(shutil.get_terminal_size().columns, _MARGIN + 20)
    lines = [] if columns - used >= _SOME else [""]
    while seen:
        room = columns - (_MARGIN if lines else used)
        if cell_len(seen) <= room:
            lines.append(seen)
            break
        head = chop_cells(seen, room)[0]
        blank = head.rfind(" ")
        # A long word is broken rather than a line left half empty.
        end = blank if blank > len(head) // 2 else len(head)
        lines.append(seen[:end].rstrip())
        seen = seen[end:].lstrip()
    return f"\n{' ' * _MARGIN}".join(lines)
