"""All 21 groups of cases are tested, and the page says of each what is done."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

GROUPS: Final = set(range(1, 22))
HERE: Final = Path(__file__).parent


def test_the_page_has_a_row_for_each_group() -> None:
    page = (HERE.parents[2] / "docs" / "gate" / "conformance.md").read_text(encoding="utf-8")
    assert {int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == GROUPS


def test_the_modules_name_each_group() -> None:
    named: set[int] = set()
    for module in HERE.glob("test_*.py"):
        about = re.match(r'"""Groups? ([^:]+):', module.read_text(encoding="utf-8"))
        for first, last in re.findall(r"(\d+)(?: to (\d+))?", about[1] if about else ""):
            named |= set(range(int(first), int(last or first) + 1))
    assert named == GROUPS
