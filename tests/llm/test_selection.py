"""Which credential is chosen: every row of the order that `ctx.llm` has, and what goes wrong with one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from codex_oauth.llm import model_family, select_credential
from tests.account.tokens import ABOUT, jwt

SECRET: Final = "s3cr3t"
NAMED: Final = jwt({"jti": SECRET, ABOUT: {"chatgpt_account_id": "acc_1"}})
NAMELESS: Final = jwt({"jti": SECRET})

ANTHROPIC: Final = {"ANTHROPIC_API_KEY": f"sk-ant-{SECRET}"}
CLAUDE: Final = {"CLAUDE_CODE_OAUTH_TOKEN": f"oat-{SECRET}"}
OPENAI: Final = {"OPENAI_API_KEY": f"sk-{SECRET}"}
OPENCODE: Final = {"OPENCODE_API_KEY": f"sk-oc-{SECRET}"}
SPLIT: Final = {"CODEX_OAUTH_TOKEN": f"token-{SECRET}", "CODEX_ACCOUNT_ID": "acc_1"}


def blob(**members: Any) -> dict[str, str]:
    """The credential as JSON."""
    return {"CODEX_OAUTH_CREDENTIAL": json.dumps(members)}


BLOB: Final = blob(tokens={"access_token": f"token-{SECRET}", "account_id": "acc_1"})
EVERYTHING: Final = {**ANTHROPIC, **CLAUDE, **BLOB, **SPLIT, **OPENAI, **OPENCODE}

CODEX: Final = "codex-backend"
HOME: Final = "codex_oauth home"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is there, and what is chosen: provider, source, and the model that is asked for."""

    environ: Mapping[str, str] = field(repr=False)
    chosen: tuple[str, str, str | None] | None
    model: str | None = None
    harness: str | None = None
    plan: str | None = None


ORDER: Final = {
    "nothing": Row(environ={}, chosen=None),
    "everything": Row(environ=EVERYTHING, chosen=("anthropic", "ANTHROPIC_API_KEY", None)),
    "the key before the token of Claude": Row(
        environ={**CLAUDE, **ANTHROPIC}, chosen=("anthropic", "ANTHROPIC_API_KEY", None)
    ),
    "the token of Claude before the plan": Row(
        environ={**CLAUDE, **BLOB, **OPENAI}, chosen=("anthropic", "CLAUDE_CODE_OAUTH_TOKEN", None)
    ),
    "the credential before the token": Row(environ={**BLOB, **SPLIT}, chosen=(CODEX, "CODEX_OAUTH_CREDENTIAL", None)),
    "the token before a home": Row(environ=SPLIT, plan=HOME, chosen=(CODEX, "CODEX_OAUTH_TOKEN", None)),
    "a home": Row(environ={}, plan=HOME, chosen=(CODEX, HOME, None)),
    "the plan before the key of OpenAI": Row(environ={**OPENAI, **SPLIT}, chosen=(CODEX, "CODEX_OAUTH_TOKEN", None)),
    "a home before the key of OpenAI": Row(environ=OPENAI, plan=HOME, chosen=(CODEX, HOME, None)),
    "the key of OpenAI before that of OpenRouter": Row(
        environ={**OPENCODE, **OPENAI}, chosen=("openai", "OPENAI_API_KEY", None)
    ),
    "the key of OpenRouter": Row(environ=OPENCODE, chosen=("opencode", "OPENCODE_API_KEY", None)),
    "blank is not there": Row(
        environ={"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": " \n", **OPENAI},
        chosen=("openai", "OPENAI_API_KEY", None),
    ),
}

PLAN_SOURCES: Final = {
    "nested": Row(environ=BLOB, chosen=(CODEX, "CODEX_OAUTH_CREDENTIAL", None)),
    "flat": Row(environ=blob(access_token="t", account_id="a"), chosen=(CODEX, "CODEX_OAUTH_CREDENTIAL", None)),
    "in camelCase": Row(
        environ=blob(tokens={"accessToken": "t", "accountId": "a"}), chosen=(CODEX, "CODEX_OAUTH_CREDENTIAL", None)
    ),
    "flat in camelCase": Row(
        environ=blob(accessToken="t", accountId="a"), chosen=(CODEX, "CODEX_OAUTH_CREDENTIAL", None)
    ),
    "the account beside the tokens": Row(
        environ=blob(tokens={"access_token": "t"}, account_id="a"), chosen=(CODEX, "CODEX_OAUTH_CREDENTIAL", None)
    ),
    "the account in camelCase beside them": Row(
        environ=blob(tokens={"accessToken": "t"}, accountId="a"), chosen=(CODEX, "CODEX_OAUTH_CREDENTIAL", None)
    ),
    "a whole auth.json with a base url": Row(
        environ=blob(tokens={"access_token": "t", "refresh_token": "r", "account_id": "a"}, base_url="https://x.test"),
        chosen=(CODEX, "CODEX_OAUTH_CREDENTIAL", None),
    ),
    "a token that names its account": Row(
        environ=blob(access_token=NAMED), chosen=(CODEX, "CODEX_OAUTH_CREDENTIAL", None)
    ),
    "the other variable for the account": Row(
        environ={"CODEX_OAUTH_TOKEN": "t", "CHATGPT_ACCOUNT_ID": "a"}, chosen=(CODEX, "CODEX_OAUTH_TOKEN", None)
    ),
    "a blank variable for the account, and the other": Row(
        environ={"CODEX_OAUTH_TOKEN": "t", "CODEX_ACCOUNT_ID": " ", "CHATGPT_ACCOUNT_ID": "a"},
        chosen=(CODEX, "CODEX_OAUTH_TOKEN", None),
    ),
    "a token alone that names its account": Row(
        environ={"CODEX_OAUTH_TOKEN": NAMED}, chosen=(CODEX, "CODEX_OAUTH_TOKEN", None)
    ),
    "an account alone": Row(environ={"CODEX_ACCOUNT_ID": "a"}, chosen=None),
}

NO_CREDENTIAL: Final = {
    "cut off": '{"tokens": {"access_token": "t", "account_id": "a"}',
    "a token alone": NAMED,
    "a list": json.dumps([{"access_token": "t", "account_id": "a"}]),
    "null": "null",
    "no token": json.dumps({"account_id": "a"}),
    "a blank token": json.dumps({"access_token": " ", "account_id": "a"}),
    "no account": json.dumps({"tokens": {"access_token": "t"}}),
    "no account in the token either": json.dumps({"tokens": {"access_token": NAMELESS}}),
    "a blank account": json.dumps({"tokens": {"access_token": "t", "account_id": " "}}),
    "a refresh token alone": json.dumps({"tokens": {"refresh_token": "r", "account_id": "a"}}),
}
FALLING_THROUGH: Final = {
    f"{what}, then {then}": Row(environ={"CODEX_OAUTH_CREDENTIAL": text, **more}, plan=plan, chosen=chosen)
    for what, text in NO_CREDENTIAL.items()
    for then, more, plan, chosen in (
        ("the token", SPLIT, HOME, (CODEX, "CODEX_OAUTH_TOKEN", None)),
        ("the home", {}, HOME, (CODEX, HOME, None)),
        ("the key", OPENAI, None, ("openai", "OPENAI_API_KEY", None)),
        ("nothing", {}, None, None),
    )
} | {
    "a token without an account, then the key": Row(
        environ={"CODEX_OAUTH_TOKEN": "t", **OPENAI}, chosen=("openai", "OPENAI_API_KEY", None)
    ),
    "a token without an account, then nothing": Row(environ={"CODEX_OAUTH_TOKEN": NAMELESS}, chosen=None),
}

FAMILIES: Final = {
    # anthropic
    "claude takes the key of Anthropic": Row(
        environ=EVERYTHING, model="claude-opus-4-8", chosen=("anthropic", "ANTHROPIC_API_KEY", "claude-opus-4-8")
    ),
    "anthropic/ takes it too": Row(
        environ=EVERYTHING, model="Anthropic/haiku", chosen=("anthropic", "ANTHROPIC_API_KEY", "haiku")
    ),
    "claude takes the token of Claude": Row(
        environ={**CLAUDE, **OPENAI},
        model="openrouter/claude-x",
        chosen=("anthropic", "CLAUDE_CODE_OAUTH_TOKEN", "claude-x"),
    ),
    "claude without a credential takes what comes first": Row(
        environ={**OPENAI, **SPLIT}, model="claude-opus-4-8", chosen=(CODEX, "CODEX_OAUTH_TOKEN", None)
    ),
    "claude with the key of OpenAI alone": Row(
        environ=OPENAI, model="claude-opus-4-8", chosen=("openai", "OPENAI_API_KEY", None)
    ),
    # codex
    "codex takes the plan": Row(
        environ=EVERYTHING, model="codex-latest", chosen=(CODEX, "CODEX_OAUTH_CREDENTIAL", "codex-latest")
    ),
    "openai-codex/ takes it too": Row(
        environ=EVERYTHING, model="openai-codex/gpt-5.5", chosen=(CODEX, "CODEX_OAUTH_CREDENTIAL", "gpt-5.5")
    ),
    "openai/ with codex in it takes it too": Row(
        environ={**OPENAI, **SPLIT}, model="openai/GPT-5.5-Codex", chosen=(CODEX, "CODEX_OAUTH_TOKEN", "GPT-5.5-Codex")
    ),
    "codex takes a home": Row(environ=OPENAI, plan=HOME, model="codex", chosen=(CODEX, HOME, "codex")),
    "codex without the plan takes the key of OpenAI": Row(
        environ={**ANTHROPIC, **OPENAI}, model="gpt-5.5-codex", chosen=("openai", "OPENAI_API_KEY", None)
    ),
    "openai-codex/ without the plan takes it with the model": Row(
        environ=OPENAI, model="openai-codex/gpt-5.5", chosen=("openai", "OPENAI_API_KEY", "gpt-5.5")
    ),
    "codex with the key of Anthropic alone": Row(
        environ=ANTHROPIC, model="codex-latest", chosen=("anthropic", "ANTHROPIC_API_KEY", None)
    ),
    # openai
    "gpt takes the key of OpenAI before the plan": Row(
        environ={**SPLIT, **OPENAI}, model="openai/gpt-5.4", chosen=("openai", "OPENAI_API_KEY", "gpt-5.4")
    ),
    "gpt takes it before the key of Anthropic": Row(
        environ={**ANTHROPIC, **OPENAI}, model="gpt-5.1", chosen=("openai", "OPENAI_API_KEY", "gpt-5.1")
    ),
    "openai/ takes it too": Row(environ=EVERYTHING, model="openai/o9", chosen=("openai", "OPENAI_API_KEY", "o9")),
    "gpt takes it before a home": Row(
        environ=OPENAI, plan=HOME, model="gpt-5.5", chosen=("openai", "OPENAI_API_KEY", "gpt-5.5")
    ),
    "gpt falls back to the plan": Row(
        environ={**ANTHROPIC, **BLOB}, model="openai/gpt-5.5", chosen=(CODEX, "CODEX_OAUTH_CREDENTIAL", "gpt-5.5")
    ),
    "gpt falls back to a home": Row(environ=ANTHROPIC, plan=HOME, model="gpt-5.5", chosen=(CODEX, HOME, "gpt-5.5")),
    "gpt with the key of OpenRouter alone": Row(
        environ=OPENCODE, model="openai/gpt-5.5", chosen=("opencode", "OPENCODE_API_KEY", "openai/gpt-5.5")
    ),
    # opencode
    "opencode/ takes the key of OpenRouter": Row(
        environ=EVERYTHING, model="opencode/deepseek", chosen=("opencode", "OPENCODE_API_KEY", "deepseek")
    ),
    "the harness opencode takes it too": Row(
        environ=EVERYTHING, model="deepseek", harness="opencode", chosen=("opencode", "OPENCODE_API_KEY", "deepseek")
    ),
    "the harness alone takes it too": Row(
        environ=EVERYTHING, harness="opencode", chosen=("opencode", "OPENCODE_API_KEY", None)
    ),
    "a model's family goes before the harness": Row(
        environ=EVERYTHING,
        model="codex-latest",
        harness="opencode",
        chosen=(CODEX, "CODEX_OAUTH_CREDENTIAL", "codex-latest"),
    ),
    "opencode without its key takes what comes first": Row(
        environ={**OPENAI, **SPLIT}, model="opencode/deepseek", chosen=(CODEX, "CODEX_OAUTH_TOKEN", None)
    ),
    # nobody's
    "nobody's model takes what comes first": Row(
        environ={**OPENAI, **SPLIT}, model="some/o9", harness="codex", chosen=(CODEX, "CODEX_OAUTH_TOKEN", "o9")
    ),
    "a blank model takes what comes first": Row(
        environ={**OPENAI, **SPLIT}, model=" ", chosen=(CODEX, "CODEX_OAUTH_TOKEN", None)
    ),
    "nobody's model with the key of OpenAI alone": Row(
        environ=OPENAI, model="o9", chosen=("openai", "OPENAI_API_KEY", None)
    ),
}

ROWS: Final = {**ORDER, **PLAN_SOURCES, **FALLING_THROUGH, **FAMILIES}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_credential_is_the_one_of_the_table(row: Row) -> None:
    selection = select_credential(row.environ, row.model, harness=row.harness, plan=row.plan)
    assert (selection and (selection.provider, selection.source, selection.model)) == row.chosen
    assert SECRET not in repr(selection)


@pytest.mark.parametrize("source", ["CODEX_OAUTH_CREDENTIAL", "CODEX_OAUTH_TOKEN"])
@pytest.mark.parametrize("token", [f"sk-{SECRET}", f"Bearer {SECRET}", f"{NAMED} ", jwt({"exp": 1})])
def test_a_token_that_is_no_good_has_no_other_wallet_pay(source: str, token: str) -> None:
    given = blob(access_token=token, account_id="a") if source == "CODEX_OAUTH_CREDENTIAL" else {**SPLIT, source: token}
    selection = select_credential({**given, **OPENAI})
    assert selection is not None
    assert (selection.provider, selection.source) == (CODEX, source)


@pytest.mark.parametrize("text", NO_CREDENTIAL.values(), ids=NO_CREDENTIAL)
def test_what_was_skipped_is_named_with_a_reason_and_no_value(text: str) -> None:
    selection = select_credential({"CODEX_OAUTH_CREDENTIAL": text, "CODEX_OAUTH_TOKEN": SECRET, **OPENAI})
    assert selection is not None
    assert [(one.source, one.reason.partition(":")[0]) for one in selection.skipped] == [
        ("CODEX_OAUTH_CREDENTIAL", "CODEX_OAUTH_CREDENTIAL"),
        ("CODEX_OAUTH_TOKEN", "CODEX_OAUTH_TOKEN"),
    ]
    assert SECRET not in repr(selection)
    assert NAMED not in repr(selection)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        (None, None),
        ("", None),
        ("o9", None),
        ("gpt5", None),
        ("claude", "anthropic"),
        ("anthropic/gpt-codex", "anthropic"),
        ("codex", "codex"),
        ("openai-codex/anything", "codex"),
        ("openai/gpt-5-codex", "codex"),
        ("openai/anything", "openai"),
        ("x/GPT-5", "openai"),
        ("opencode/anything", "opencode"),
        ("opencode/gpt-5", "openai"),
        ("deepseek", None),
    ],
)
def test_a_model_is_of_the_family_that_its_name_says(model: str | None, family: str | None) -> None:
    assert model_family(model) == family
    assert model_family(model, "opencode") == (family or "opencode")
