"""Profiles: their names, their wallets, their homes, and the command that signs in."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codex_oauth.account import Profile, dedicate, profiles, read_sign_in, sign_in_command, wallet_of
from codex_oauth.account.profiles import seal
from codex_oauth.account.sign_in import Wallet
from codex_oauth.config import ExternalSource, Settings, load_settings
from codex_oauth.errors import ConfigurationError
from codex_oauth.testing import LoopbackChatGPT
from tests.account.tokens import write_sign_in

MakeProfile = Callable[[str], Settings]
CODEX = Path("/opt/codex/bin/codex")
WALLETS: tuple[Wallet, Wallet] = ("chatgpt", "apiKey")


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["work", "A", "7", "a.b_c-d", "ci-2", "x" * 64, "a..b"])
def test_a_profile_is_a_folder_of_its_own(name: str, tmp_path: Path) -> None:
    settings = load_settings(profile=name, environ={"XDG_STATE_HOME": str(tmp_path)})
    assert settings.home == settings.state_dir / "profiles" / name / "codex-home"
    assert settings.profile == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../x", "a/b", "/a", "a\\b", "-x", "_x", ".x", "x" * 65, "a b", "a\n", "größe", "a\0b", "~"),
        *("$HOME", "a;b", "a:b", "*"),
    ],
)
def test_a_name_that_would_lead_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a profile's name has 1 to 64 letters"):
        load_settings(profile=name, environ={"XDG_STATE_HOME": str(tmp_path)})


# --- wallets ---------------------------------------------------------------------------------------------------------


def test_the_account_that_calls_use_is_a_plan(bare: Settings) -> None:
    assert wallet_of(bare) == "chatgpt"
    dedicate(bare, "chatgpt")
    with pytest.raises(ConfigurationError, match="an API key needs a profile of its own: --profile NAME"):
        dedicate(bare, "apiKey")
    assert not bare.state_dir.exists()


@pytest.mark.parametrize("wallet", WALLETS)
def test_a_profile_is_for_one_wallet_from_its_first_sign_in_on(profile: MakeProfile, wallet: Wallet) -> None:
    work, other = profile("work"), WALLETS[WALLETS[0] == wallet]
    assert wallet_of(work) == "chatgpt"
    dedicate(work, wallet)
    seal(work, wallet)
    dedicate(work, wallet)
    assert wallet_of(work) == wallet
    kind = "an API key" if wallet == "apiKey" else "a ChatGPT plan"
    with pytest.raises(ConfigurationError, match=f"profile 'work' is for {kind}; choose another --profile NAME"):
        dedicate(work, other)
    assert wallet_of(work) == wallet
    assert wallet_of(profile("another")) == "chatgpt"


def test_a_sign_in_with_a_plan_that_did_not_come_about_leaves_the_choice(profile: MakeProfile) -> None:
    work = profile("work")
    dedicate(work, "chatgpt")
    dedicate(work, "apiKey")
    assert wallet_of(work) == "apiKey"


def test_a_profile_that_is_signed_in_with_a_plan_takes_no_key_whoever_made_it(profile: MakeProfile) -> None:
    work = profile("work")
    write_sign_in(work.home, {})
    with pytest.raises(ConfigurationError, match="is for a ChatGPT plan"):
        dedicate(work, "apiKey")
    dedicate(work, "chatgpt")
    assert wallet_of(work) == "chatgpt"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"wallet": 3}', '{"wallet": "apikey"}', "[" * 100_000]
)
def test_a_profile_that_does_not_say_what_it_is_for_takes_no_key(profile: MakeProfile, content: str) -> None:
    work = profile("work")
    work.home.mkdir(parents=True)
    (work.home.parent / "profile.json").write_text(content, encoding="utf-8")
    assert wallet_of(work) == "chatgpt"
    with pytest.raises(ConfigurationError, match="is for a ChatGPT plan"):
        dedicate(work, "apiKey")


def test_a_profiles_folder_is_its_owners_alone(profile: MakeProfile) -> None:
    work = profile("work")
    dedicate(work, "apiKey")
    assert stat.S_IMODE(work.home.parent.stat().st_mode) == 0o700
    assert [path.name for path in work.home.parent.iterdir()] == ["profile.json"]


def test_a_profile_that_cannot_be_written_is_a_setting_that_is_wrong(profile: MakeProfile) -> None:
    work = profile("work")
    work.state_dir.mkdir(parents=True)
    (work.state_dir / "profiles").write_text("in the way", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"/profiles/work: the profile cannot be written: Not a directory"):
        dedicate(work, "chatgpt")


def test_a_path_too_long_to_be_one_is_a_setting_that_is_wrong_too(bare: Settings, tmp_path: Path) -> None:
    state = tmp_path / ("x" * 300)
    work = replace(bare, state_dir=state, profile="work", home=state / "profiles/work/codex-home")
    with pytest.raises(ConfigurationError, match="the profile cannot be written: File name too long"):
        dedicate(work, "chatgpt")


# --- the list --------------------------------------------------------------------------------------------------------


def test_the_account_that_calls_use_comes_first_and_is_always_there(bare: Settings) -> None:
    assert profiles(bare) == (Profile(None, bare.home, "chatgpt", None),)


def test_the_usual_account_is_the_one_of_the_home_that_is_named(bare: Settings, tmp_path: Path) -> None:
    named = replace(bare, home=tmp_path / "named")
    write_sign_in(named.home, {})
    assert profiles(named) == (Profile(None, named.home, "chatgpt", read_sign_in(named.home)),)
    for other in (
        replace(named, managed=False),
        replace(named, external=ExternalSource(token="t")),
        replace(named, profile="work"),
    ):
        assert profiles(other) == (Profile(None, bare.home, "chatgpt", None),)


def test_every_profile_with_a_home_is_listed_by_name(
    bare: Settings, profile: MakeProfile, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(bare.home)
    chatgpt.sign_in(profile("b").home, plan="pro")
    dedicate(profile("a"), "apiKey")
    chatgpt.sign_in_with_api_key(profile("a").home)
    profile("c").home.mkdir(parents=True)
    dedicate(profile("without-a-home"), "chatgpt")
    (bare.state_dir / "profiles" / "a-file").touch()
    (bare.state_dir / "profiles" / "a-loop").symlink_to(bare.state_dir / "profiles" / "a-loop")
    found = profiles(bare)
    assert [(each.name, each.wallet, each.sign_in and each.sign_in.plan) for each in found] == [
        (None, "chatgpt", "plus"),
        ("a", "apiKey", None),
        ("b", "chatgpt", "pro"),
        ("c", "chatgpt", None),
    ]
    assert [each.sign_in for each in found] == [read_sign_in(each.home) for each in found]
    assert profiles(profile("b")) == found


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look anywhere")
def test_a_folder_that_may_not_be_looked_into_is_left_out(bare: Settings, profile: MakeProfile) -> None:
    profile("a").home.mkdir(parents=True)
    profile("a").home.parent.chmod(0)
    try:
        assert [each.name for each in profiles(bare)] == [None]
    finally:
        profile("a").home.parent.chmod(0o700)


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_that_signs_in_is_this_packages_own(bare: Settings, profile: MakeProfile) -> None:
    key = profile("billed")
    dedicate(key, "apiKey")
    elsewhere = replace(bare, home=Path("/srv/codex"))
    assert [sign_in_command(settings, CODEX) for settings in (bare, elsewhere, profile("work"), key)] == [
        "codex-oauth login",
        "codex-oauth login --home /srv/codex",
        "codex-oauth login --profile work",
        "codex-oauth login --api-key --profile billed",
    ]


@pytest.mark.parametrize("name", ["plain", "with spaces", "it's", 'say "hi"', "$HOME;`x`", "größe"])
def test_the_command_can_be_pasted_into_a_shell(bare: Settings, name: str) -> None:
    home = Path("/homes") / name
    own = sign_in_command(replace(bare, home=home, managed=False), Path("/bin") / name)
    assert shlex.split(own) == [f"CODEX_HOME=/homes/{name}", f"/bin/{name}", "login"]
    managed = sign_in_command(replace(bare, home=home), CODEX)
    assert shlex.split(managed) == ["codex-oauth", "login", "--home", f"/homes/{name}"]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (ExternalSource(credential="secret"), "CODEX_OAUTH_CREDENTIAL"),
        (ExternalSource(token="secret", account_id="acc_1"), "CODEX_OAUTH_TOKEN"),
        (ExternalSource(command=("vault", "secret")), "token_command"),
    ],
)
def test_an_external_token_is_renewed_where_it_comes_from(bare: Settings, source: ExternalSource, name: str) -> None:
    assert sign_in_command(replace(bare, external=source), CODEX) == f"give a fresh token in {name}"
