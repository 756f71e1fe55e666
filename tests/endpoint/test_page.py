"""The page at `/`: what it says, that it says no more, and how it looks in a real browser."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.endpoint.page import LEAST_REFRESH, headers, page
from codex_oauth.endpoint.standing import Standing
from codex_oauth.endpoint.tally import MODEL_ROUTES, Call, Tally
from codex_oauth.testing import LoopbackChatGPT, RateLimits, Text
from codex_oauth.types import Account, Credits, Limits, LimitWindow, Usage
from tests.chromium import NAMES
from tests.endpoint.served import TOKEN, Served
from tests.metrics.samples import HOSTILE
from tests.metrics.test_page import Parsed
from tests.metrics.test_page_in_browser import LUMINANCE
from tests.metrics.viewer import Viewer

NOW: Final = datetime(2026, 10, 21, 16, 42, 11, tzinfo=timezone(timedelta(hours=2), "CEST"))
AT: Final = NOW.timestamp()
LONG: Final = "an-extraordinarily-long-model-name-that-nobody-would-choose-for-anything-2026-10-21-preview"

FIVE_HOURS: Final = LimitWindow(name="codex", used_percent=42, minutes=300, resets_at=int(AT) + 7800)
WEEK: Final = LimitWindow(name="codex", used_percent=91, minutes=10_080, resets_at=int(AT) + 3 * 86_400)

STANDING: Final = Standing(
    version="0.1.0",
    codex_version="0.163.0",
    base_url="http://127.0.0.1:8787/v1",
    token_command="cat ~/.local/state/codex-oauth/endpoint-token",
    model="gpt-6-luna",
    account=Account(kind="chatgpt", plan="plus", email="somebody@example.org"),
    limits=Limits(plan="plus", windows=(FIVE_HOURS, WEEK)),
    limits_at=AT - 120,
)
SIGNED_OUT: Final = replace(
    STANDING,
    account=None,
    limits=None,
    codex_version=None,
    model=None,
    problem="Nobody is signed in: codex-oauth login",
)

# Where an element's box ends right of the window, though neither it nor what it is in scrolls.
TOO_WIDE: Final = """[...document.querySelectorAll('body *')]
  .filter(each => !each.closest('.scroll, pre') && each.getBoundingClientRect().right > innerWidth + 1)
  .map(each => each.outerHTML.slice(0, 80))"""

# Text whose contrast with what is behind it is less than WCAG 2.2 wants (AA).
FAINT: Final = """(() => {
  const light = color => {
    const [red, green, blue] = color.match(/[0-9.]+/g).slice(0, 3).map(part => part / 255)
      .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = element => {
    const color = getComputedStyle(element).backgroundColor;
    return color.startsWith('rgba(0, 0, 0, 0') && element.parentElement ? behind(element.parentElement) : color;
  };
  return [...document.querySelectorAll('body *:not(title)')]
    .filter(each => [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
    .filter(each => {
      const style = getComputedStyle(each);
      const text = each instanceof SVGElement ? style.fill : style.color;
      const [low, high] = [light(text), light(behind(each))].sort((one, other) => one - other);
      return (high + 0.05) / (low + 0.05) < 4.5;
    }).map(each => each.outerHTML.slice(0, 80));
})()"""


def busy(model: str = "gpt-6-luna", *, hours: float = 9.0, calls: int = 200) -> Tally:
    """What was counted in so many hours."""
    tally = Tally()
    tally.started = AT - hours * 3600
    for number in range(calls):
        at = tally.started + number * hours * 3600 / calls
        route = MODEL_ROUTES[number % 2]
        if number % 40 == 39:
            tally.add(Call(route=route, status=429, ms=180.0, at=at, error="insufficient_quota"))
            continue
        usage = Usage(input=900 + 31 * number, cached=400, output=90 + number, reasoning=12)
        tally.add(
            Call(
                route=route,
                status=200,
                ms=700 + 977 * number % 2600,
                at=at,
                model=model,
                effort="low",
                first_ms=320.0,
                usage=usage,
                finish="tool_calls" if number % 3 == 0 else "stop",
                streamed=number % 4 == 0,
                tools=number % 5,
            )
        )
    return tally


def shown(tally: Tally | None = None, standing: Standing = STANDING, *, refresh: int | None = None) -> Parsed:
    return Parsed(page(busy() if tally is None else tally, standing, now=NOW, refresh=refresh))


def test_the_page_says_how_the_endpoint_is_and_how_to_point_a_client_there() -> None:
    text = shown().text
    for words in (
        "Up since 07:42, at http://127.0.0.1:8787/v1",
        *("ChatGPT, plan plus", "5 hours", "42% used", "resets 18:52, in 2 h 10 min", "Weekly", "91% used, nearly all"),
        *("As of 16:40", "9 h 0 min", "codex-oauth 0.1.0", "codex 0.163.0"),
        *("429 insufficient_quota", "tool_calls", "responses", "chat, stream", "gpt-6-luna, low"),
        "export OPENAI_BASE_URL=http://127.0.0.1:8787/v1",
        'export OPENAI_API_KEY="$(cat ~/.local/state/codex-oauth/endpoint-token)"',
    ):
        assert words in text
    assert text.count('model="gpt-6-luna"') == text.count('model: "gpt-6-luna"') == 1


def test_the_page_has_no_address_of_a_person() -> None:
    assert "example.org" not in page(busy(), STANDING, now=NOW)


def test_a_page_without_calls_or_a_sign_in_says_so() -> None:
    text = shown(Tally(), SIGNED_OUT).text
    for words in ("Calls fail.", "codex-oauth login", "Nobody", "No call has been answered yet.", "None yet."):
        assert words in text
    assert 'model="default"' in text
    assert "Not known before the first call" in shown(Tally(), replace(SIGNED_OUT, problem=None)).text


@pytest.mark.parametrize(
    ("windows", "reached", "words"),
    [
        (
            (replaced := LimitWindow(name="codex", used_percent=100, minutes=300, resets_at=int(AT) + 60),),
            "x",
            "used up",
        ),
        ((replaced,), "rate_limit_reached", "The plan is used up."),
        ((replaced,), "rate_limit_reached", "Calls are refused until 16:43."),
        ((LimitWindow(name="codex", used_percent=3, minutes=45),), None, "45 minutes"),
        ((LimitWindow(name="codex", used_percent=3, minutes=2880),), None, "2 days"),
        ((LimitWindow(name="GPT-6 Astra", used_percent=3, minutes=None),), None, "A limit, GPT-6 Astra"),
        ((LimitWindow(name="codex", used_percent=3, minutes=300, resets_at=int(AT) - 5),), None, "resets now"),
    ],
)
def test_limits_are_told_in_words(windows: tuple[LimitWindow, ...], reached: str | None, words: str) -> None:
    limits = Limits(plan="plus", windows=windows, reached=reached)
    assert words in shown(standing=replace(STANDING, limits=limits)).text


def test_credits_are_told() -> None:
    limits = Limits(plan="plus", windows=(WEEK,), credits=Credits(has=True, unlimited=False, balance="120.50"))
    assert "Credits: 120.50" in shown(standing=replace(STANDING, limits=limits)).text


def test_hostile_words_stay_words() -> None:
    for text in HOSTILE:
        tally = busy(text, calls=5)
        tally.add(Call(route="/v1/responses", status=500, ms=3.0, error=text, at=AT))
        account = Account(kind=text, plan=text)
        limits = Limits(plan=text, windows=(LimitWindow(name=text, used_percent=7),), credits=None)
        standing = Standing(
            version=text,
            base_url=text,
            token_command=text,
            codex_version=text,
            model=text,
            account=account,
            problem=text,
            limits=limits,
        )
        parsed = shown(tally, standing)
        assert {name for name, _ in parsed.elements} <= {name for name, _ in shown().elements}
        assert not [name for _, attributes in parsed.elements for name in attributes if name.startswith("on")]


def test_the_policy_allows_the_pages_own_style_and_nothing_else() -> None:
    made = headers()
    source = page(busy(), STANDING, now=NOW)
    (style,) = re.findall(r"<style>(.*?)</style>", source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert made["content-security-policy"].startswith(
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;"
    )
    assert made["cache-control"] == "no-store"
    addresses = [
        attributes.get(name)
        for _, attributes in Parsed(source).elements
        for name in ("src", "href")
        if name in attributes
    ]
    assert set(addresses) == {"data:,", "/", "/?refresh=30"}
    assert "style=" not in source.replace(f"<style>{style}</style>", "")


def test_a_page_loads_itself_again_only_where_it_is_asked_to() -> None:
    def again(refresh: int | None) -> list[str | None]:
        elements = shown(refresh=refresh).elements
        return [found.get("content") for _, found in elements if found.get("http-equiv") == "refresh"]

    assert again(None) == []
    assert again(30) == ["30"]
    assert again(1) == [str(LEAST_REFRESH)]
    assert "Stop refreshing" in shown(refresh=30).text


def test_what_is_drawn_is_named_and_tables_have_heads() -> None:
    elements = shown().elements
    drawn = [attributes for name, attributes in elements if name == "svg" and attributes.get("aria-hidden") != "true"]
    assert len(drawn) == 4
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in drawn)
    heads = [attributes.get("scope") for name, attributes in elements if name == "th"]
    assert set(heads) == {"col", "row"}
    assert [name for name, _ in elements if name in ("h1", "h2", "h3")][:3] == ["h1", "h2", "h2"]
    assert ("html", {"lang": "en"}) in elements


@pytest.fixture(scope="module")
def viewer(stand_in: LoopbackChatGPT) -> Iterator[Viewer]:
    """A browser, for which the stand-in is the whole internet."""
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    if binary is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH")
    with Viewer(binary, stand_in) as browser:
        yield browser


def test_the_page_fits_every_window_and_can_be_read_in_light_and_dark(viewer: Viewer, tmp_path: Path) -> None:
    used_up = Limits(plan="plus", windows=(WEEK,), reached="rate_limit_reached")
    pages = {
        "busy": page(busy(), STANDING, now=NOW),
        "empty": page(Tally(), SIGNED_OUT, now=NOW, refresh=30),
        "long": page(busy(LONG, hours=0.9), replace(STANDING, model=LONG, limits=used_up), now=NOW),
    }
    for name, source in pages.items():
        path = tmp_path / f"{name}.html"
        path.write_text(source, encoding="utf-8")
        for width in (1200, 390, 320):
            viewer.look(path, width=width, dark=width == 390)
            assert viewer.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)
            assert viewer.evaluate(TOO_WIDE) == [], (name, width)
            assert (viewer.evaluate(LUMINANCE) < 0.1) is (width == 390)
            assert viewer.evaluate(FAINT) == [], (name, width)


def test_a_person_gets_to_the_page_with_the_token_and_sees_what_happened(served: Served, viewer: Viewer) -> None:
    served.chatgpt.rate_limits = RateLimits(used_percent=42, weekly_used_percent=91)
    served.chatgpt.script(Text("TOPSECRET"))
    assert served.chat("TOPSECRET?").status == 200
    viewer.open(f"http://127.0.0.1:{served.port}/")
    viewer.fill("input[name=token]", TOKEN)
    viewer.click("button")
    viewer.wait_for_load()
    text = viewer.text()
    for words in ("ChatGPT, plan plus", "42% used", "91% used", "stop", served.base_url):
        assert words in text
    assert "TOPSECRET" not in text
    assert TOKEN not in viewer.evaluate("document.documentElement.outerHTML")
    assert viewer.evaluate("getComputedStyle(document.querySelector('.cards')).display") == "grid"
    assert viewer.evaluate("performance.getEntriesByType('resource').length") == 0
    slipped = """(() => {
      const script = document.createElement('script');
      script.textContent = "document.title = 'run'";
      document.body.append(script);
      document.body.setAttribute('style', 'display: none');
      return [document.title === 'run', getComputedStyle(document.body).display];
    })()"""
    assert viewer.evaluate(slipped) == [False, "block"]
