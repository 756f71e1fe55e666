"""Tokens with any claims, homes that are signed in with them, and anything that JSON can hold."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

ABOUT: Final = "https://api.openai.com/auth"
"""The claim that says whose account it is."""

VALUES: Final[st.SearchStrategy[Any]] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
"""Any JSON value, and the numbers beside them that Python reads as JSON."""


def jwt(claims: object) -> str:
    """An unsigned token with these claims."""
    parts = ({"alg": "none"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join((*encoded, "unsigned"))


def write_sign_in(home: Path, claims: Mapping[str, Any], *, refresh_token: str = "rt-loopback-1") -> None:
    """Sign a home in with a plan and an access token with these claims. No service knows it."""
    account = {ABOUT: {"chatgpt_account_id": "acc_1", "chatgpt_plan_type": "plus"}, "email": "person@example.com"}
    tokens = {
        "id_token": jwt({**account, **claims}),
        "access_token": jwt({**account, **claims}),
        "refresh_token": refresh_token,
        "account_id": "acc_1",
    }
    home.mkdir(parents=True, exist_ok=True)
    content = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": "2026-01-01T00:00:00Z"}
    (home / "auth.json").write_text(json.dumps(content), encoding="utf-8")
