"""JSON text to a value, strictly: what two readers could understand in two ways is refused."""

from __future__ import annotations

import json
import math
from typing import NoReturn

from codex_oauth.types import JSONValue

__all__ = ("DecodeError", "decode")


class DecodeError(ValueError):
    """The text is not one JSON value. The message holds nothing of the text."""


def decode(text: str) -> JSONValue:
    """Read one JSON value.

    Raises:
        DecodeError: Not JSON; or a key that is there twice, NaN, an infinite or oversized number, an unpaired
            surrogate, nesting that is too deep, or anything after the value.
    """
    if text.lstrip().startswith("```"):
        raise DecodeError("the reply must be JSON alone, without a code fence")
    try:
        text.encode()
        value: JSONValue = json.loads(text, object_pairs_hook=_object, parse_float=_number, parse_constant=_constant)
        if "\\u" in text:
            # Only an escape can have brought a surrogate in, after the text itself could be encoded.
            json.dumps(value, ensure_ascii=False).encode()
    except DecodeError:
        raise
    except json.JSONDecodeError as error:
        raise DecodeError(f"not JSON: {error.msg} at character {error.pos}") from None
    except UnicodeEncodeError:
        raise DecodeError("a string has an unpaired surrogate") from None
    except RecursionError:
        raise DecodeError("nested too deeply") from None
    except ValueError:
        # The only one left is Python's limit on the digits of an integer.
        raise DecodeError("a number has too many digits") from None
    return value


def _object(pairs: list[tuple[str, JSONValue]]) -> dict[str, JSONValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DecodeError("an object has the same key twice")
    return found


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise DecodeError("a number is too large")
    return number


def _constant(name: str) -> NoReturn:
    raise DecodeError(f"{name} is not JSON")
