"""The language of the pinned schema, which both halves speak: JSON Schema, as far as a reduction keeps it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

REF = "#/definitions/"
STRING: Schema = {"type": "string"}


def is_tagged(variant: Schema) -> bool:
    return "enum" in variant.get("properties", {}).get("type", {})


def tag_of(variant: Schema) -> str | None:
    """The name of a union's member: the value of its `type`, or the one key of an externally tagged object."""
    if is_tagged(variant):
        return variant["properties"]["type"]["enum"][0]
    return variant["required"][0] if len(variant.get("required", ())) == 1 else None


def kinds(schema: Schema) -> list[str]:
    kind: str | list[str] = schema["type"]
    return [kind] if isinstance(kind, str) else kind


def references(schema: Any) -> Iterator[str]:
    for match in re.finditer(rf'"{REF}(\w+)"', json.dumps(schema)):
        yield match[1]
