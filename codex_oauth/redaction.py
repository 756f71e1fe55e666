"""Foreign words made fit for error texts and logs: without tokens and addresses, on one line, and not too long."""

from __future__ import annotations

import re
from typing import Final

__all__ = ("cleaned",)

_SECRET: Final = re.compile(
    r"eyJ[\w-]{8,}(?:\.[\w-]+)*|\b(?:sk|rt|at)[-_][\w-]{8,}|(?i:bearer)\s+\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
)
# JSON web tokens, keys and tokens by their usual beginnings, bearer headers, e-mail addresses.
_LONGEST: Final = 500


def cleaned(message: object) -> str:
    """A foreign message as one line of at most 500 characters, with what looks like a secret replaced."""
    text = _SECRET.sub("[removed]", " ".join(str(message).split()))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
