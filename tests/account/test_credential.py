"""What the environment may give as a credential, and what is said of one that is none: never its value."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.account.external import parse_credential
from codex_oauth.errors import ConfigurationError
from tests.account.tokens import ABOUT, VALUES, jwt

NAME = "CODEX_OAUTH_CREDENTIAL"
SECRET = "s3cr3t"
TOKEN = jwt({"jti": SECRET})
CLAIMED = jwt({"jti": SECRET, ABOUT: {"chatgpt_account_id": "acc_claims", "chatgpt_plan_type": "pro"}})
ACCESS = ("access_token", "accessToken")
ACCOUNT = ("account_id", "accountId", "chatgpt_account_id", "chatgptAccountId")
PLAN = ("plan_type", "planType", "chatgpt_plan_type", "chatgptPlanType")


def refusal(text: str) -> str:
    """What is said of a credential that is none, which quotes nothing of it."""
    with pytest.raises(ConfigurationError) as caught:
        parse_credential(text, NAME)
    assert type(caught.value) is ConfigurationError
    assert caught.value.message.startswith(f"{NAME}: ")
    printed = "".join(traceback.format_exception(caught.value))
    assert SECRET not in printed
    assert TOKEN.split(".")[1] not in printed
    return caught.value.message.removeprefix(f"{NAME}: ")


# --- a credential ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("access", ACCESS)
@pytest.mark.parametrize("account", ACCOUNT)
@pytest.mark.parametrize("shape", ["nested", "flat", "account beside tokens"])
def test_both_spellings_and_every_shape_are_read(access: str, account: str, shape: str) -> None:
    credential = {
        "nested": {"tokens": {access: TOKEN, account: "acc_1"}},
        "flat": {access: TOKEN, account: "acc_1"},
        "account beside tokens": {"tokens": {access: TOKEN}, account: "acc_1"},
    }[shape]
    assert parse_credential(json.dumps(credential), NAME) == {
        "accessToken": TOKEN,
        "chatgptAccountId": "acc_1",
        "chatgptPlanType": None,
    }


@pytest.mark.parametrize("plan", PLAN)
@pytest.mark.parametrize("nested", [True, False])
def test_the_plan_is_read_in_each_spelling(plan: str, nested: bool) -> None:
    fields = {"access_token": CLAIMED, "account_id": "acc_1", plan: "team"}
    read = parse_credential(json.dumps({"tokens": fields} if nested else fields), NAME)
    assert read == {"accessToken": CLAIMED, "chatgptAccountId": "acc_1", "chatgptPlanType": "team"}


def test_account_and_plan_come_from_the_claims_where_they_are_not_given() -> None:
    read = parse_credential(
        json.dumps({"tokens": {"access_token": CLAIMED, "account_id": "", "plan_type": None}}), NAME
    )
    assert read == {"accessToken": CLAIMED, "chatgptAccountId": "acc_claims", "chatgptPlanType": "pro"}


def test_what_stands_with_the_token_counts_before_what_stands_beside_it_or_in_it() -> None:
    credential = {
        "tokens": {"access_token": CLAIMED, "account_id": "acc_1"},
        "account_id": "acc_2",
        "plan_type": "team",
    }
    read = parse_credential(json.dumps(credential), NAME)
    assert read == {"accessToken": CLAIMED, "chatgptAccountId": "acc_1", "chatgptPlanType": "team"}


def test_a_whole_auth_file_of_codex_is_a_credential() -> None:
    tokens = {"id_token": TOKEN, "access_token": CLAIMED, "refresh_token": f"rt-{SECRET}", "account_id": "acc_1"}
    content = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": "2026-01-01T00:00:00Z"}
    read = parse_credential(json.dumps(content), NAME)
    assert read == {"accessToken": CLAIMED, "chatgptAccountId": "acc_1", "chatgptPlanType": "pro"}


# --- none ------------------------------------------------------------------------------------------------------------

EXPECTED = '{"tokens": {"access_token": "…", "account_id": "…"}}'


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", " (line 1, column 1)"),
        (TOKEN, " (line 1, column 1)"),
        (f"sk-{SECRET}", " (line 1, column 1)"),
        (f'{{"access_token": "{SECRET}', " (line 1, column 18)"),
        (f'{{"access_token" "{SECRET}"}}', " (line 1, column 17)"),
        (f"{{'access_token': '{SECRET}'}}", " (line 1, column 2)"),
        (f'{{"access_token":\n{SECRET}}}', " (line 2, column 1)"),
        (f'{{"access_token": "{SECRET}"}} {SECRET}', " (line 1, column 28)"),
        ("\ufeff{}", " (line 1, column 1)"),
        ("[" * 100_000, ""),
        ("9" * 5000, ""),
    ],
)
def test_what_is_no_json_is_told_its_place(text: str, where: str) -> None:
    assert refusal(text) == f"not valid JSON{where}; expected {EXPECTED}"


@pytest.mark.parametrize("value", [None, True, 3, SECRET, [TOKEN], [{"access_token": TOKEN}]])
def test_what_is_no_object_is_told_what_is_expected(value: Any) -> None:
    assert refusal(json.dumps(value)) == f"a JSON object is expected, such as {EXPECTED}"


@pytest.mark.parametrize("tokens", [None, False, 3, SECRET, [TOKEN]])
def test_tokens_that_are_no_object_are_told_so(tokens: Any) -> None:
    assert refusal(json.dumps({"tokens": tokens})) == f"'tokens' must be an object, such as {EXPECTED}"


NO_TOKEN = f"no 'access_token'; expected {EXPECTED}"
WHITE_SPACE = "the access token has white space in it; was more than the token pasted?"
NO_JWT = "the access token is not a JWT, so it is none of a ChatGPT sign-in (an API key, perhaps?)"
NO_ACCOUNT = "the token does not say which account it is for; add 'account_id'"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, NO_TOKEN),
        ({"accesstoken": TOKEN}, NO_TOKEN),
        ({"access_token": ""}, NO_TOKEN),
        ({"access_token": None, "accessToken": None}, NO_TOKEN),
        ({"refresh_token": f"rt-{SECRET}", "account_id": "acc_1"}, NO_TOKEN),
        ({"access_token": 3}, "'access_token' must be text"),
        ({"access_token": {SECRET: SECRET}}, "'access_token' must be text"),
        ({"accessToken": [TOKEN]}, "'accessToken' must be text"),
        ({"access_token": f"Bearer {TOKEN}"}, WHITE_SPACE),
        ({"access_token": f"{TOKEN}\n"}, WHITE_SPACE),
        ({"access_token": f"\u00a0{TOKEN}"}, WHITE_SPACE),
        ({"access_token": f"sk-{SECRET}"}, NO_JWT),
        ({"access_token": f"{SECRET}.{SECRET}.{SECRET}"}, NO_JWT),
        ({"access_token": f"{TOKEN}.{SECRET}"}, NO_JWT),
        ({"access_token": jwt({})}, NO_JWT),
        ({"access_token": jwt([SECRET])}, NO_JWT),
        ({"access_token": TOKEN}, NO_ACCOUNT),
        ({"access_token": TOKEN, "account_id": ""}, NO_ACCOUNT),
        ({"access_token": jwt({ABOUT: SECRET})}, NO_ACCOUNT),
        ({"access_token": jwt({ABOUT: {"chatgpt_account_id": ""}})}, NO_ACCOUNT),
        ({"access_token": TOKEN, "account_id": 3}, "'account_id' must be text"),
        ({"access_token": TOKEN, "chatgptAccountId": [SECRET]}, "'chatgptAccountId' must be text"),
        ({"access_token": CLAIMED, "planType": {"x": SECRET}}, "'planType' must be text"),
        (
            {"access_token": jwt({ABOUT: {"chatgpt_account_id": [SECRET]}})},
            "the token's claims: 'chatgpt_account_id' must be text",
        ),
        (
            {"access_token": jwt({ABOUT: {"chatgpt_account_id": "acc_1", "chatgpt_plan_type": 3}})},
            "the token's claims: 'chatgpt_plan_type' must be text",
        ),
    ],
)
@pytest.mark.parametrize("nested", [True, False])
def test_what_is_missing_or_wrong_is_named(fields: dict[str, Any], said: str, nested: bool) -> None:
    assert refusal(json.dumps({"tokens": fields} if nested else fields)) == said


# --- anything --------------------------------------------------------------------------------------------------------

HIDDEN = st.text(max_size=5).map(lambda text: f"{SECRET}{text}")
MEMBER = VALUES | HIDDEN | st.just(TOKEN) | st.just(CLAIMED) | st.builds(jwt, VALUES)
FIELDS = st.dictionaries(st.sampled_from((*ACCESS, *ACCOUNT, *PLAN, "tokens", "refresh_token")), MEMBER, max_size=5)


@given(st.text() | VALUES.map(json.dumps))
def test_any_text_is_a_credential_or_a_setting_that_is_wrong(text: str) -> None:
    try:
        parse_credential(text, NAME)
    except ConfigurationError:
        refusal(text)


@given(FIELDS, FIELDS)
def test_any_members_are_a_credential_or_told_without_a_value(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    for credential in (outer, {**outer, "tokens": inner}):
        text = json.dumps(credential)
        try:
            read = parse_credential(text, NAME)
        except ConfigurationError:
            refusal(text)
        else:
            assert set(read) == {"accessToken", "chatgptAccountId", "chatgptPlanType"}
            assert read["accessToken"].count(".") == 2
            assert read["chatgptAccountId"]
