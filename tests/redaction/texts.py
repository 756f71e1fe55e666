"""Texts made by chance out of what matters to a shell and of what secrets are told by."""

from __future__ import annotations

import re
from typing import Final

from hypothesis import strategies as st

from codex_oauth.redaction.spans import MARKER
from tests.secrets_shapes import SHAPES

__all__ = ("SYNTAX", "texts", "words_of")

SYNTAX: Final = "$`;|&<>()'\"\\\n\r*?{}#^"
"""What shells act upon inside a word, or between words. `[` and `]` are not in it, for they are in what is shown."""

_NAMES: Final = (
    *("password", "PASSWORD", "token", "TOKEN", "secret", "api_key", "apiKey", "_key", "X-Api-Key: ", "secret: "),
    *(
        "--password",
        "--token",
        "-p",
        "-u",
        "-b ",
        "curl ",
        "curl -u a:",
        "mysql ",
        "docker login ",
        "sshpass ",
        "echo ",
    ),
    *("Authorization: ", "Bearer ", "Basic ", "Digest ", "Cookie: ", "signature=", "?sig=", "&token=", "http://u:"),
    *("export ", "set -x ", "name: ", "value", "token=", "password=", "<password>", "</password>", "IDENTIFIED BY "),
    *("machine h login u password ", "https://hooks.slack.com/services/", "eval ", "sh", "sudo "),
)
_SIGNS: Final = (
    *("=", ":", ": ", " ", "  ", "\n", "\t", "'", '"', "\\", '\\"', "\\n", "`", "$", "$(", ")", "${", "}", "${X:-"),
    *("(", "{", "[", "]", "<", ">", "<<<", "|", "&", ";", "#", "!", "~", "*", "?", "%", "%20", ",", "@", "://", "/"),
    *("./", "-", "--", "\x1f", "\x00", "\u2028", "\u00e9", "\u0130"),
)
_VALUES: Final = (
    *("$TOKEN", "a=b", "hunter2", "rm -rf ~", "id", "x", "true", "xxx", "[secret: token]", "[secret: password]"),
    *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "MIIEpAIBAAKCAQEA1234567890abcdefghijkl"),
    *("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcDEF123"),
    *("ghp_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "sk-proj-abcDEF0123456789abcdef", "AKIAIOSFODNN7EXAMPLE"),
)
_SHAPES: Final = tuple(shape.text for shape in SHAPES.values())
_PIECES: Final = st.one_of(*map(st.sampled_from, (_NAMES, _SIGNS, _VALUES, _SHAPES)), st.text(max_size=3))


def texts(*, longest: int = 20) -> st.SearchStrategy[str]:
    """Texts of so many pieces at most."""
    return st.lists(_PIECES, max_size=longest).map("".join)


def words_of(text: str) -> int:
    """How many words it has; what stands for a secret is a part of one."""
    return len(re.sub(MARKER, "x", text).split())
