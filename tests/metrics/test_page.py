"""The page: all of it in one file, foreign words escaped, nothing that runs, and nothing of others' replaced."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
import sys
import time
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_oauth.metrics import scan
from codex_oauth.metrics.page import page, write
from codex_oauth.metrics.report import build
from tests.metrics.samples import HOSTILE, NOW, call, request

VOID: Final = {"meta", "br", "link", "img"}
VERDICTS: Final[tuple[Literal["allow", "deny", "ask", "error"], ...]] = ("allow", "deny", "ask", "error")


class Parsed(HTMLParser):
    """The elements of a page, in their order, and its text. Elements that are not closed are an error."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len(attrs) == len(dict(attrs)), "an attribute stands twice"
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


def page_of(*lines: dict[str, Any] | None, days: int = 7) -> str:
    return page(build(lines, days=days, now=NOW), version="0.1.0")


def hostile_lines() -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(HOSTILE):
        other = HOSTILE[number - 1]
        for verdict in VERDICTS:
            line = request(verdict, tool_input={"command": text})
            # As somebody would write it into the file, past every bound.
            line["gate"].update(tool=text, rule=other, session=other, source="model" if number % 2 else text)
            lines.append({**line, "error": text, "outcome": "error" if verdict == "error" else "ok"})
        lines.append({**call(), "command": text, "outcome": "error", "error": other})
    return lines


def test_a_week_is_told_in_headline_plots_and_lists(week: Path) -> None:
    report = build(scan(week), days=7, now=NOW)
    parsed = Parsed(page(report, version="0.1.0"))
    headings = [text for text in parsed.texts if re.fullmatch(r"[A-Z][a-z ]+", text)]
    for heading in (
        *("Permission gate", "Automation rate", "Verdicts over time", "Latency", "Tokens", "Asked most", "Denied most"),
        "Where the time went",
        *("Rules", "Tools", "Errors", "Not judged", "Other calls"),
    ):
        assert heading in headings
    assert f"{report.totals.calls:,}" in parsed.texts
    assert "git push --force origin main" in parsed.texts
    assert [kind for kind, _ in parsed.elements if kind == "figure"] == ["figure"] * 4


def test_a_failure_is_told_with_its_code_and_what_helps_and_is_not_among_what_a_rule_would_save() -> None:
    lines = [request("ask", "make", source="failure", rule=None, outcome="error", error="not_logged_in")]
    texts = Parsed(page_of(*lines)).texts
    asked, denied, failed, rules = (
        texts.index(heading) for heading in ("Asked most", "Denied most", "Not judged", "Rules")
    )
    assert "make" not in texts[asked:denied]
    assert texts[failed:rules].count("make") == 1
    assert "codex-oauth login" in texts[failed:rules]
    assert "Not judged" not in Parsed(page_of(request("ask"))).texts


@pytest.mark.parametrize("days", [1, 2, 7, 90])
@pytest.mark.parametrize(
    "lines",
    [
        [],
        [request()],
        [request(total=None)],
        [request("ask", source="rule", rule=None, tool="AskUserQuestion", total=0.4)],
        [request("error", source="failure", rule=None, outcome="error", error="deadline", total=0.0)],
        [request(total=9e15), request(total=0.001)],
        [call()],
        [None, {}],
        hostile_lines(),
    ],
    ids=["none", "one", "unmeasured", "a question", "an error", "extremes", "another call", "bad lines", "hostile"],
)
def test_any_entries_make_a_page_that_is_well_formed_and_whole(lines: list[dict[str, Any] | None], days: int) -> None:
    source = page_of(*lines, days=days)
    parsed = Parsed(source)
    assert parsed.elements[0] == ("html", {"lang": "en"})
    assert "nan" not in re.findall(r"[a-z]+", re.sub(r"<style>.*?</style>", "", source, flags=re.DOTALL))
    for kind, attributes in parsed.elements:
        for name in ("x", "y", "width", "height", "x1", "x2", "y1", "y2", "cx", "cy"):
            if kind in {"rect", "line", "text", "circle"} and name in attributes:
                assert -20 <= float(attributes[name] or "") <= 1_000


def test_a_page_holds_nothing_that_runs_and_asks_for_nothing(week: Path) -> None:
    for source in (page(build(scan(week), days=7, now=NOW), version="0.1.0"), page_of(*hostile_lines())):
        parsed = Parsed(source)
        kinds = {kind for kind, _ in parsed.elements}
        assert not kinds & {"script", "img", "link", "iframe", "object", "embed", "form", "a", "base", "image", "use"}
        attributes = {name for _, named in parsed.elements for name in named}
        assert not attributes & {"src", "href", "style", "xlink:href", "action", "srcset", "data"}
        assert not [name for name in attributes if name.startswith("on")]
        fills = {named["fill"] for _, named in parsed.elements if "fill" in named}
        assert fills <= {"url(#stripes)", "url(#grid)"}
        style = re.findall(r"<style>(.*?)</style>", source, re.DOTALL)
        assert len(style) == 1
        assert not re.search(r"url\(|@import|expression", style[0])
        assert not re.search(r"https?:", re.sub(r"https://(docs|get)\.example\.com", "", source))


def test_the_policy_of_a_page_allows_its_own_style_and_nothing_else() -> None:
    source = page_of(request())
    style = re.findall(r"<style>(.*?)</style>", source, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    rules = [named["content"] for _, named in Parsed(source).elements if "http-equiv" in named]
    assert rules == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]
    # Before anything that it is for.
    assert source.index("Content-Security-Policy") < source.index("<style>")


def test_foreign_words_are_shown_as_they_are_and_are_never_markup() -> None:
    parsed = Parsed(page_of(*hostile_lines()))
    for text in HOSTILE[:5]:
        assert text in parsed.texts
    assert "right\\u{202e}to left\\u{2066} and\\u{200b} \\u{1b}[31mred\\u{7}" in parsed.text
    assert "\\u{d800} alone" in parsed.text
    assert not re.search(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", parsed.text
    )
    assert max(map(len, parsed.texts)) < 400


@settings(deadline=None, max_examples=60)
@given(st.text(), st.text(), st.text())
def test_no_words_change_what_elements_a_page_has(tool: str, command: str, rule: str) -> None:
    def elements(*words: str) -> list[str]:
        line = request("deny", tool_input={"command": words[1]})
        line["gate"].update(tool=words[0], rule=words[2])
        return [kind for kind, _ in Parsed(page_of(line)).elements]

    plain = elements("Bash", "ls" if command.strip() else "", "rule")
    assert elements(tool, command, rule) == plain


def test_every_plot_says_what_it_shows_to_who_does_not_see_it(week: Path) -> None:
    parsed = Parsed(page(build(scan(week), days=7, now=NOW), version="0.1.0"))
    for kind, named in parsed.elements:
        if kind == "svg":
            assert named.get("aria-hidden") == "true" or (named["role"] == "img" and named["aria-label"])
        if kind == "th":
            assert named["scope"] in ("col", "row")
    assert parsed.texts.count("The numbers") == 5


def test_every_class_that_a_page_names_is_in_its_style(week: Path) -> None:
    source = page(build(scan(week), days=7, now=NOW), version="0.1.0") + page_of(*hostile_lines()) + page_of()
    style = re.findall(r"<style>(.*?)</style>", source, re.DOTALL)[0]
    named = set(re.findall(r'class="([\w-]+)"', source))
    styled = set(re.findall(r"\.([a-z][\w-]*)", style))
    assert named == styled


def test_a_hundred_thousand_entries_take_seconds(tmp_path: Path, week: Path) -> None:
    lines = week.read_bytes().splitlines(keepends=True)
    many = tmp_path / "metrics.jsonl"
    many.write_bytes(b"".join(lines[number % len(lines)] for number in range(100_000)))
    began = time.perf_counter()
    report = build(scan(many), days=7, now=NOW)
    source = page(report, version="0.1.0")
    assert time.perf_counter() - began < 30
    assert report.totals.calls + sum(each.calls for each in report.calls.values()) == 100_000
    assert len(source) < 200_000


def test_a_thousand_different_commands_leave_the_page_small() -> None:
    lines = [request("ask", f"make {number} " + "x" * 1_900, ago=timedelta(minutes=number)) for number in range(1_000)]
    assert len(page_of(*lines)) < 100_000


def test_an_earlier_page_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write(path, page_of())
    write(path, page_of(request()))
    assert path.read_text(encoding="utf-8") == page_of(request())
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("content", ["", "mine", "<!DOCTYPE html><title>Mine</title>", "x" * 5_000 + page_of()])
def test_a_file_that_is_no_such_page_is_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "report.html"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(FileExistsError):
        write(path, page_of())
    assert path.read_text(encoding="utf-8") == content
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there, and permissions are no modes")
def test_a_link_a_folder_and_a_pipe_are_left_alone_and_a_page_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    old = os.umask(0)
    try:
        write(path, page_of())
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "folder", "pipe"):
        with pytest.raises(FileExistsError):
            write(tmp_path / name, page_of())
    assert (tmp_path / "link").is_symlink()


def test_a_page_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write(tmp_path / "none" / "report.html", page_of())
    with pytest.raises(UnicodeEncodeError):
        write(tmp_path / "report.html", "\ud800")
    assert list(tmp_path.iterdir()) == []
