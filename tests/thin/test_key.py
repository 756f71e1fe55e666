"""Who may share an app-server: the key."""

from __future__ import annotations

import string
from typing import Final

import pytest

from codex_oauth.thin.key import NETWORK, key_of

ENVIRON: Final = {"HOME": "/home/one", "PATH": "/usr/bin", "LANG": "C.UTF-8"}

DECISIVE: Final = (
    *NETWORK,
    *("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME"),
    *("CODEX_ACCOUNT_ID", "CHATGPT_ACCOUNT_ID"),
    *("CODEX_OAUTH_HOME", "CODEX_OAUTH_CONFIG", "CODEX_OAUTH_CODEX_BIN", "CODEX_OAUTH_METRICS"),
    *("CODEX_OAUTH_TOKEN", "CODEX_OAUTH_CREDENTIAL", "CODEX_OAUTH_SERVICE", "CODEX_OAUTH_LATER"),
)

OF_NO_ACCOUNT: Final = ("PATH", "LANG", "LC_ALL", "TERM", "COLUMNS", "PWD", "OLDPWD", "SHLVL", "XDG_RUNTIME_DIR", "_")


def test_it_is_short_and_safe_in_a_file_name() -> None:
    key = key_of(ENVIRON, {})
    assert len(key) == 32
    assert set(key) <= set(string.hexdigits.lower())
    assert key == key_of(dict(reversed(ENVIRON.items())), {})


@pytest.mark.parametrize("name", DECISIVE)
def test_a_variable_that_decides_over_a_call_makes_another_key(name: str) -> None:
    keys = {key_of({**ENVIRON, name: value}, {}) for value in ("/one", "/two", "")}
    keys.add(key_of({key: value for key, value in ENVIRON.items() if key != name}, {}))
    assert len(keys) == 4


@pytest.mark.parametrize("name", OF_NO_ACCOUNT)
def test_a_variable_that_every_shell_has_otherwise_makes_the_same_key(name: str) -> None:
    assert key_of({**ENVIRON, name: "another"}, {}) == key_of(ENVIRON, {})


@pytest.mark.parametrize("name", ["--home", "--profile", "--codex-bin"])
def test_an_option_that_names_a_home_or_a_codex_makes_another_key(name: str) -> None:
    assert len({key_of(ENVIRON, options) for options in ({}, {name: "one"}, {name: "two"})}) == 3


@pytest.mark.parametrize("name", ["command", "host", "--policy", "--json", "--command", "--model", "--timeout"])
def test_an_option_of_one_request_makes_the_same_key(name: str) -> None:
    assert key_of(ENVIRON, {name: "x"}) == key_of(ENVIRON, {})


def test_no_value_can_be_taken_for_another_name() -> None:
    pairs: list[tuple[dict[str, str], dict[str, str]]] = [
        ({"CODEX_OAUTH_A": "1", "CODEX_OAUTH_B": "2"}, {}),
        ({"CODEX_OAUTH_A": "1CODEX_OAUTH_B=2"}, {}),
        ({"CODEX_OAUTH_A": "1=2"}, {}),
        ({"CODEX_OAUTH_A=1": "2"}, {}),
        ({}, {"--home": "/x"}),
        ({}, {"--profile": "/x"}),
        ({"CODEX_OAUTH_HOME": "/x"}, {}),
        ({"HOME": "/x"}, {}),
        ({"CODEX_HOME": "/x"}, {}),
    ]
    assert len({key_of(environ, options) for environ, options in pairs}) == len(pairs) - 1  # `A=1` has no such name


def test_a_value_that_is_no_text_has_a_key() -> None:
    odd = [{**ENVIRON, "HTTPS_PROXY": value} for value in ("\udcff", "\udcfe", "ü")]
    assert len({key_of(environ, {}) for environ in odd}) == 3


def test_no_token_can_be_read_from_it() -> None:
    token = "secret-token-value"
    key = key_of({**ENVIRON, "CODEX_OAUTH_TOKEN": token}, {})
    assert token not in key
    assert token.encode().hex()[:8] not in key
