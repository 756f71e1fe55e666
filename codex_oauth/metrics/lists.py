"""The page's lower half: lists of what was asked for, decided and failed most."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final, Literal

from codex_oauth.metrics import markup
from codex_oauth.metrics.charts import behind
from codex_oauth.metrics.not_judged import REMEDIES
from codex_oauth.metrics.report import Report
from codex_oauth.metrics.tally import Command
from codex_oauth.metrics.words import count, percent, span, tokens, visible

__all__ = ("commands", "errors", "not_judged", "other_calls", "rules", "tools")

_LONGEST_COMMAND: Final = 240
_ROWS: Final = 12
"""Rows of a table whose length depends on the file alone."""


def commands(report: Report, verdict: Literal["ask", "deny"]) -> str:
    """The commands that were asked about, or denied, most often."""
    ask = verdict == "ask"
    heading = "Asked most" if ask else "Denied most"
    words = "Left to you: rules for these would save most of the questions" if ask else "Stopped by the gate"
    found = report.commands(verdict)
    rows: list[str] = []
    for command in found:
        under = f"{markup.name(command.tool)} · {_reason(command)}"
        rows.append(_row(_command(command.command), command.count, under, [(verdict, command.count)], found[0].count))
    return _list(heading, words, rows)


def not_judged(report: Report) -> str:
    """The commands that had no verdict of the policy's, with the reason; nothing where there were none."""
    found = report.not_judged()
    rows = [
        _row(
            _command(each.command),
            each.count,
            " · ".join(filter(None, (markup.name(each.tool), markup.name(each.reason), _remedy(each.remedy)))),
            [("unanswered", each.count)],
            found[0].count,
        )
        for each in found
    ]
    return _list("Not judged", "No rule would change these", rows) if rows else ""


def rules(report: Report) -> str:
    """The rules that decided most."""
    found = report.sorted_rules()[:_ROWS]
    rows: list[str] = []
    for rule, counts in found:
        parts = [(kind, counts["error" if kind == "unanswered" else kind]) for kind in markup.VERDICTS]
        said = ", ".join(f"{markup.VERDICTS[kind]} {count(number)}" for kind, number in parts if number)
        shown = '<span class="soft">no rule</span>' if rule is None else markup.name(rule)
        rows.append(_row(shown, counts.total(), said, parts, found[0][1].total()))
    return _list("Rules", "What decided most", rows)


def tools(report: Report) -> str:
    """The tools that were asked for most."""
    found = report.sorted_tools()[:_ROWS]
    rows: list[str] = []
    for tool, tally in found:
        numbers = tally.verdicts()
        rate = tally.automation_rate
        said = "questions to you" if rate is None else f"{percent(rate)} without you"
        parts = [(kind, numbers[kind]) for kind in markup.VERDICTS]
        rows.append(_row(markup.name(tool), tally.calls, said, parts, found[0][1].calls))
    return _list("Tools", "What the agents asked for", rows)


def errors(report: Report) -> str:
    """What went wrong, by the errors' codes, and what helps."""
    found = report.errors.most_common(_ROWS)
    rows = [
        _row(markup.name(code), times, _remedy(REMEDIES.get(code)), [("unanswered", times)], found[0][1])
        for code, times in found
    ]
    return _list("Errors", "Requests that got no verdict from the model, by the error's code", rows)


def other_calls(report: Report) -> str:
    """The calls that no host asked for; nothing where there were none."""
    if not report.calls:
        return ""
    rows: list[str] = []
    for name, call in report.sorted_calls()[:_ROWS]:
        numbers = (count(call.calls), count(call.errors), *map(span, map(call.percentile, (50, 95))))
        cells = "".join(f'<td class="number">{cell}</td>' for cell in (*numbers, tokens(call.input + call.output)))
        rows.append(f'<tr><th scope="row" class="named">{markup.name(name)}</th>{cells}</tr>')
    heads = ("command", "calls", "errors", "p50", "p95", "tokens")
    table = markup.table(heads, "".join(rows), right=range(1, 6))
    return markup.card("Other calls", "On the same plan, but not asked for by an agent", table)


def _list(heading: str, words: str, rows: Sequence[str]) -> str:
    content = f'<ol class="list">{"".join(rows)}</ol>' if rows else markup.nothing("None in these days.")
    return markup.card(heading, words, content)


def _row(shown: str, number: int, under: str, parts: Sequence[tuple[str, int]], most: int) -> str:
    """An entry of a list, with a bar behind it that is as long as it is frequent."""
    below = f'<span class="under">{under}</span>' if under else ""
    return f'<li>{behind(parts, most)}<span class="what">{shown}</span> <b>{count(number)}</b>{below}</li>\n'


def _command(command: str) -> str:
    what = visible(command, _LONGEST_COMMAND)
    return f'<code dir="ltr">{escape(what)}</code>' if what else '<span class="soft">(no input)</span>'


def _remedy(command: str | None) -> str:
    return f"run <code>{escape(command)}</code>" if command else ""


def _reason(command: Command) -> str:
    # What was forced says more about it than the rule alone: "truncated" asks for another remedy than a rule does.
    source = "" if command.source == "model" else markup.name(command.source)
    if command.rule is None:
        return source or "no rule"
    return f"{markup.name(command.rule)}, {source}" if source else markup.name(command.rule)
