"""The page, looked at in a real browser: at a desk, on a phone, in the dark, on paper."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.metrics import scan
from codex_oauth.metrics.page import page, write
from codex_oauth.metrics.report import build
from codex_oauth.testing import LoopbackChatGPT
from tests.chromium import NAMES
from tests.metrics.samples import NOW
from tests.metrics.test_page import hostile_lines, page_of
from tests.metrics.viewer import Viewer

LUMINANCE: Final = """(element => {
  const [red, green, blue] = getComputedStyle(element).backgroundColor.match(/[0-9.]+/g).map(Number);
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
})(document.body)"""

# Where an element's text or its box ends right of the window, though it does not scroll by itself.
TOO_WIDE: Final = """[...document.querySelectorAll('body *')]
  .filter(each => !each.closest('.scroll') && each.getBoundingClientRect().right > innerWidth + 1)
  .map(each => each.outerHTML.slice(0, 80))"""


@pytest.fixture
def viewer(chatgpt: LoopbackChatGPT) -> Iterator[Viewer]:
    """A browser, for which the stand-in is the whole internet."""
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    if binary is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH")
    with Viewer(binary, chatgpt) as browser:
        yield browser


@pytest.fixture
def report(week: Path, tmp_path: Path) -> Path:
    """The page of a week."""
    path = tmp_path / "report.html"
    write(path, page(build(scan(week), days=7, now=NOW), version="0.1.0"))
    return path


def test_a_page_fits_every_window(viewer: Viewer, report: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.html"
    write(hostile, page_of(*hostile_lines()))
    for path in (report, hostile):
        for width in (1200, 860, 390, 320):
            viewer.look(path, width=width)
            assert viewer.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path.name, width)
            assert viewer.evaluate(TOO_WIDE) == [], (path.name, width)


def test_a_page_says_what_happened_and_its_numbers_fold_out(viewer: Viewer, report: Path) -> None:
    viewer.look(report)
    said = viewer.text()
    for words in ("Automation rate", "git push --force origin main", "run-downloaded-code", "p95"):
        assert words in said or viewer.evaluate(f"document.body.textContent.includes({words!r})")
    assert "Wednesday, 15 July" not in said
    viewer.click("summary")
    assert "Wednesday, 15 July" in viewer.text()


def test_a_page_is_dark_where_that_is_wanted_and_light_on_paper(viewer: Viewer, report: Path) -> None:
    viewer.look(report)
    assert viewer.evaluate(LUMINANCE) > 0.9
    viewer.look(report, dark=True)
    assert viewer.evaluate(LUMINANCE) < 0.1
    viewer.look(report, dark=True, print_out=True)
    assert viewer.evaluate(LUMINANCE) > 0.9


def test_hostile_words_run_nothing_load_nothing_and_hide_nothing(viewer: Viewer, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write(path, page_of(*hostile_lines()))
    viewer.look(path)
    assert viewer.evaluate("document.title").startswith("Permission gate, ")
    assert viewer.evaluate("document.querySelectorAll('script, img, iframe, link, svg[onload]').length") == 0
    assert viewer.evaluate("performance.getEntriesByType('resource').length") == 0
    assert "</script><script>document.title='run'</script>" in viewer.text()


def test_the_policy_of_a_page_stops_what_would_slip_through(viewer: Viewer, report: Path) -> None:
    viewer.look(report)
    slipped = """(() => {
      const script = document.createElement('script');
      script.textContent = "document.title = 'run'";
      document.body.append(script);
      document.body.setAttribute('style', 'display: none');
      const style = document.createElement('style');
      style.textContent = 'body { display: none }';
      document.body.append(style);
      return [document.title === 'run', getComputedStyle(document.body).display];
    })()"""
    assert viewer.evaluate(slipped) == [False, "block"]


def test_the_style_of_a_page_is_the_one_that_its_policy_allows(viewer: Viewer, report: Path) -> None:
    viewer.look(report)
    assert viewer.evaluate("document.styleSheets.length") == 1
    assert viewer.evaluate("getComputedStyle(document.querySelector('.cards')).display") == "grid"
