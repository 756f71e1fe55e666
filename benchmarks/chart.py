"""The figures as a picture for the docs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import Case, median_of, quartiles

__all__ = ("draw",)

_COLOURS: Final = {"ours": "#1f6feb", "peer": "#9aa4b2", "floor": "#d3d9e0"}
_MEANING: Final = {"ours": "codex_oauth", "peer": "what one would use instead", "floor": "the floor"}
_SHOWN: Final = ("cold", "warm", "network-warm", "many", "series", "memory")


def draw(cases: Mapping[str, Case], path: Path, caption: str) -> None:
    """Draw bars of medians, with the middle half of the values as whiskers.

    Raises:
        ImportError: matplotlib is not there.
        OSError: The file cannot be written.
    """
    # By name: it is no part of the environment that the checks run in.
    import_module("matplotlib").use("agg")
    pyplot: Any = import_module("matplotlib.pyplot")
    shown = [cases[key] for key in _SHOWN if key in cases and any(row.values for row in cases[key].rows)]
    rows = (len(shown) + 1) // 2
    with pyplot.rc_context({"font.size": 10, "axes.titlesize": 12, "font.family": "DejaVu Sans"}):
        figure, axes = pyplot.subplots(rows, 2, figsize=(14, 3.4 * rows), squeeze=False, facecolor="white")
        places = list(axes.flat)
        for place in places[len(shown) :]:
            place.axis("off")
        for place, case in zip(places, shown, strict=False):
            _bars(place, case)
        handles = [pyplot.Rectangle((0, 0), 1, 1, color=_COLOURS[kind]) for kind in _MEANING]
        figure.legend(handles, list(_MEANING.values()), loc="lower right", ncols=3, frameon=False)
        figure.text(0.01, 0.012, caption, fontsize=8, color="#57606a")
        figure.tight_layout(rect=(0, 0.03, 1, 1), h_pad=2.5, w_pad=3)
        figure.savefig(path, dpi=110)
        pyplot.close(figure)


def _bars(place: Any, case: Case) -> None:
    rows = [row for row in case.rows if row.values][::-1]
    medians = [median_of(row.values) for row in rows]
    spreads = [quartiles(row.values) for row in rows]
    below = [max(middle - low, 0) for middle, (low, _) in zip(medians, spreads, strict=True)]
    above = [max(high - middle, 0) for middle, (_, high) in zip(medians, spreads, strict=True)]
    colours = [_COLOURS[row.kind] for row in rows]
    place.barh(range(len(rows)), medians, color=colours, height=0.68)
    place.errorbar(
        medians, range(len(rows)), xerr=[below, above], fmt="none", ecolor="#24292f", elinewidth=1, capsize=2
    )
    place.set_yticks(range(len(rows)), [row.label for row in rows])
    place.set_title(f"{case.title} ({case.unit})", loc="left", fontweight="bold")
    place.spines[["top", "right", "left"]].set_visible(False)
    place.tick_params(axis="y", length=0)
    place.grid(axis="x", color="#e6e9ed")
    place.set_axisbelow(True)
    widest = max(middle + more for middle, more in zip(medians, above, strict=True))
    place.set_xlim(0, widest * 1.14)
    for number, (middle, more) in enumerate(zip(medians, above, strict=True)):
        text = f"{middle:.0f}" if middle >= 100 else f"{middle:.1f}" if middle >= 10 else f"{middle:.2f}"
        place.text(middle + more + widest * 0.012, number, text, va="center", fontsize=9)
