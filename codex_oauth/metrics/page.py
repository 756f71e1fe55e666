"""A report as one page that needs nothing else: no script, no request, and no trust in what the file says.

The page's policy allows one style sheet, by its hash, and nothing more: what may have slipped through the escaping of
foreign words would not run, and could not call home.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import stat
import tempfile
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Final

from codex_oauth.metrics import lists, markup, sections
from codex_oauth.metrics.charts import PATTERNS
from codex_oauth.metrics.report import Report
from codex_oauth.metrics.series import days_of, series_of
from codex_oauth.metrics.words import count

__all__ = ("page", "write")

_MARK: Final = '<meta name="generator" content="codex-oauth metrics'
"""Where it stands in a file's beginning, the file is such a page."""
_BEGINNING: Final = 2_000


def page(report: Report, *, version: str) -> str:
    """The report as HTML. All of it stands in the one text.

    Args:
        report: What to show.
        version: The package's, for the small print.
    """
    style = files("codex_oauth.metrics").joinpath("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    rules = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    host = {"claude": ", Claude Code", "codex": ", Codex"}.get(report.host or "", "")
    period = escape(days_of(report) + host)
    zone = escape(report.end.tzname() or "UTC")
    made = (
        f"Made at {report.end:%H:%M} ({zone}), {report.end.day} {report.end:%B %Y}, by codex-oauth {escape(version)}."
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{rules}">
{_MARK} {escape(version)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Permission gate, {period}</title>
<style>{style}</style>
</head>
<body>
{PATTERNS}
<header>
<h1>Permission gate</h1>
<p class="soft">{period}</p>
</header>
<main>
{_body(report)}
</main>
<footer>
<p>{made} {_fine_print(report)}</p>
<p>Secrets were taken out of the commands before they were written down. Still, read the page before you hand it on.</p>
</footer>
</body>
</html>
"""


def _body(report: Report) -> str:
    others = lists.other_calls(report)
    if not report.totals.calls:
        hint = markup.nothing("The command codex-oauth install puts the gate into a coding agent.")
        nothing = markup.card("No requests", "The gate was asked nothing in these days", hint)
        return f'<div class="cards">{nothing}{others}</div>'
    series = series_of(report)
    plots = (
        sections.verdicts(series),
        sections.automation(report, series),
        sections.latency(report, series),
        sections.tokens_used(series),
    )
    time = sections.time_spent(report)
    asked, denied = lists.commands(report, "ask"), lists.commands(report, "deny")
    commands = asked + denied + lists.not_judged(report)
    rest = lists.rules(report) + lists.tools(report) + lists.errors(report) + others
    # The lists have lengths of their own, so each column of them is stacked for itself.
    return (
        f'{sections.headline(report)}<div class="cards">{"".join(plots)}{time}'
        f'<div class="stack">{commands}</div><div class="stack">{rest}</div></div>'
    )


def _fine_print(report: Report) -> str:
    notes = ["Percentiles are nearest-rank."]
    if questions := report.totals.questions:
        what = "question to you is" if questions == 1 else "questions to you are"
        notes.append(f"{count(questions)} {what} among the asked, but not in the automation rate or the latency.")
    if kept := report.totals.kept:
        what = "request was" if kept == 1 else "requests were"
        notes.append(f"{count(kept)} {what} decided by what the model had said shortly before, and not in the latency.")
    if report.skipped:
        what = (
            "line of the file is no entry and was"
            if report.skipped == 1
            else "lines of the file are no entries and were"
        )
        notes.append(f"{count(report.skipped)} {what} left out.")
    return " ".join(notes)


def write(path: Path, text: str) -> None:
    """Put a page in its place, in one step, readable by its owner only. An earlier page there is replaced.

    Raises:
        FileExistsError: Something else is there.
        OSError: It cannot be written there.
    """
    if not _may_replace(path):
        raise FileExistsError
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _may_replace(path: Path) -> bool:
    try:
        # A link is not followed: what it leads to would stay, and the link be gone.
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        with path.open("rb") as file:
            return _MARK.encode() in file.read(_BEGINNING)
    except FileNotFoundError:
        return True
