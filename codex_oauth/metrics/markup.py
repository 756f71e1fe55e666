"""The page's small pieces as HTML: cards, tables, legends, names. All foreign words go through here."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from html import escape
from typing import Final

from codex_oauth.metrics.charts import swatch
from codex_oauth.metrics.words import visible

__all__ = ("VERDICTS", "card", "legend", "name", "nothing", "numbers", "table")

VERDICTS: Final[Mapping[str, str]] = {
    "allow": "allowed",
    "ask": "asked you",
    "deny": "denied",
    "unanswered": "no answer",
}
"""What became of a request, and what it is called; the order in which it is drawn."""

_LONGEST_NAME: Final = 80


def card(heading: str, words: str, content: str, *, under: str = "", details: str = "", wide: bool = False) -> str:
    """A part of the page.

    Args:
        heading: What it shows.
        words: A line about it.
        content: A plot, a table, or a sentence.
        under: A plot's legend.
        details: What is folded away.
        wide: Whether it is as wide as the page.
    """
    kind = ' class="wide"' if wide else ""
    if content.startswith("<svg"):
        caption = f"<figcaption>{under}</figcaption>" if under else ""
        content = f"<figure>{content}{caption}</figure>"
    return f'<section{kind}>\n<h2>{heading}</h2>\n<p class="say">{words}</p>\n{content}{details}\n</section>\n'


def nothing(words: str) -> str:
    """What stands in place of a plot or table that would be empty."""
    return f'<p class="nothing">{words}</p>'


def legend(kinds: Mapping[str, str]) -> str:
    """What the colours of a plot stand for."""
    entries = "".join(f"<li>{swatch(kind)}{words}</li>" for kind, words in kinds.items())
    return f'<ul class="legend">{entries}</ul>'


def numbers(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A plot's numbers, folded away: the first column has names, the others numbers."""
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>' + "".join(f'<td class="number">{cell}</td>' for cell in row[1:]) + "</tr>"
        for row in rows
    )
    return f"<details><summary>The numbers</summary>{table(heads, body, right=range(1, len(heads)))}</details>"


def table(heads: Sequence[str], rows: str, *, right: Container[int]) -> str:
    """A table, of which the columns `right` are numbers. It scrolls where it is wider than the screen."""
    kinds = [' class="number"' if column in right else "" for column in range(len(heads))]
    head = "".join(f'<th scope="col"{kind}>{text}</th>' for kind, text in zip(kinds, heads, strict=True))
    # What scrolls has to be reachable with the keyboard.
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>'
    )


def name(text: str) -> str:
    """The name of a tool, a rule, a command or an error."""
    return escape(visible(text, _LONGEST_NAME))
