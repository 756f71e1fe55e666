"""What the tests send and are sent: words that are found again wherever they end up, schemas, a picture."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

INSTRUCTIONS: Final = "You are a careful wombat."
PROMPT: Final = "Which numbat is this?"
REPLY: Final = "It is a quokka."
STRANGE: Final = 'Ünï çødé \u202e 🦘🏽 \u0000 \x1b[31m \u2028 \ufeff \r\n\ttab \\ " 日本語 \U0010ffff'

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"bandicoot": {"type": "string", "description": "The kind of potoroo."}},
    "required": ["bandicoot"],
    "additionalProperties": False,
}
PRIME: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"prime": {"type": "boolean"}},
    "required": ["prime"],
    "additionalProperties": False,
}

PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
"""One red pixel."""
