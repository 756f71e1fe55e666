"""Catalogues of one model each, for app-servers that serve one call: to read the whole one takes 13 ms of a start."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

__all__ = ("FOLDER", "single_catalogues")

FOLDER: Final = "models"
"""Where they lie in the home."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
# A slug is the service's word, and becomes the name of a file.


def single_catalogues(catalogue: dict[str, Any]) -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """The catalogue once for each visible model: the model, the file's path in the home, and its content.

    A model whose name is none for a file on every system is left out; it is served with the whole catalogue.
    """
    taken: set[str] = set()
    for entry in catalogue["models"]:
        slug: str = entry["slug"]
        if entry.get("visibility") != "list" or not _NAME.fullmatch(slug) or slug.endswith("."):
            continue
        if slug.casefold() not in taken:
            taken.add(slug.casefold())
            yield slug, Path(FOLDER, f"{slug}.json"), {**catalogue, "models": [entry]}
