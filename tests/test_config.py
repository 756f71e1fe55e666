"""Settings: where each comes from, which wins, and what a child may see of the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.config import (
    DEFAULT_MODEL_PREFERENCE,
    DEFAULT_TIMEOUT,
    ExternalSource,
    Settings,
    child_environment,
    load_settings,
)
from codex_oauth.errors import ConfigurationError

Environ = dict[str, str]


@pytest.fixture
def base(tmp_path: Path) -> Environ:
    """The environment of a user with folders of their own and no settings."""
    return {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config"), "PATH": "/bin"}


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[[str], Path]:
    """Writes the configuration file where it is looked for."""

    def write(text: str) -> Path:
        path = tmp_path / "config" / "codex-oauth" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_without_any_setting_the_defaults_hold(base: Environ, tmp_path: Path) -> None:
    assert load_settings(environ=base) == Settings(
        home=tmp_path / "state/codex-oauth/codex-home",
        managed=True,
        state_dir=tmp_path / "state/codex-oauth",
        config_dir=tmp_path / "config/codex-oauth",
        codex_bin=None,
        metrics=tmp_path / "state/codex-oauth/metrics.jsonl",
        model=None,
        model_preference=DEFAULT_MODEL_PREFERENCE,
        effort=None,
        timeout=DEFAULT_TIMEOUT,
        config_file=None,
        inherited={"PATH": "/bin"},
        billing_variables=(),
    )


def test_reading_settings_writes_nothing(base: Environ, tmp_path: Path) -> None:
    load_settings(environ=base)
    assert list(tmp_path.iterdir()) == []


# --- precedence ------------------------------------------------------------------------------------------------------


def test_an_argument_wins_over_a_variable_and_that_over_the_file(
    base: Environ, write_config: Callable[[str], Path]
) -> None:
    write_config('codex_bin = "/file/codex"\nmetrics = "/file/metrics"')
    variables = {"CODEX_OAUTH_CODEX_BIN": "/variable/codex", "CODEX_OAUTH_METRICS": "/variable/metrics"}

    by_file = load_settings(environ=base)
    by_variable = load_settings(environ={**base, **variables})
    by_argument = load_settings(environ={**base, **variables}, codex_bin="/argument/codex", metrics="/argument/metrics")

    assert [by_file.codex_bin, by_file.metrics] == [Path("/file/codex"), Path("/file/metrics")]
    assert [by_variable.codex_bin, by_variable.metrics] == [Path("/variable/codex"), Path("/variable/metrics")]
    assert [by_argument.codex_bin, by_argument.metrics] == [Path("/argument/codex"), Path("/argument/metrics")]


def test_the_home_of_an_argument_wins_over_the_variable(base: Environ) -> None:
    variable = {**base, "CODEX_OAUTH_HOME": "/variable/home"}
    assert load_settings(environ=variable).home == Path("/variable/home")
    assert load_settings(environ=variable, home="/argument/home").home == Path("/argument/home")


def test_an_empty_variable_is_one_that_is_not_set(base: Environ) -> None:
    names = ("CODEX_OAUTH_HOME", "CODEX_OAUTH_CODEX_BIN", "CODEX_OAUTH_METRICS", "CODEX_OAUTH_CONFIG")
    assert load_settings(environ={**base, **dict.fromkeys(names, "")}) == load_settings(environ=base)


def test_every_key_of_the_file_arrives(base: Environ, write_config: Callable[[str], Path]) -> None:
    path = write_config(
        'codex_bin = "/opt/codex"\nmetrics = "off"\nmodel = "gpt-x"\nmodels = ["*-tiny", "*-mini"]\neffort = "low"\n'
        "timeout = 12"
    )
    settings = load_settings(environ=base)
    assert (settings.codex_bin, settings.metrics) == (Path("/opt/codex"), None)
    assert (settings.model, settings.model_preference, settings.effort) == ("gpt-x", ("*-tiny", "*-mini"), "low")
    assert (settings.timeout, settings.config_file) == (12.0, path)


def test_a_file_that_is_named_takes_the_place_of_the_usual_one(
    base: Environ, write_config: Callable[[str], Path], tmp_path: Path
) -> None:
    write_config('model = "usual"')
    named = tmp_path / "named.toml"
    named.write_text('model = "named"', encoding="utf-8")
    settings = load_settings(environ={**base, "CODEX_OAUTH_CONFIG": str(named)})
    assert (settings.model, settings.config_file) == ("named", named)


# --- places ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="XDG is the rule on Linux")
@pytest.mark.parametrize("value", ["", "relative/state", "./state", "~/state"])
def test_an_xdg_folder_that_is_not_absolute_is_passed_over(value: str, base: Environ) -> None:
    settings = load_settings(environ={**base, "XDG_STATE_HOME": value})
    assert settings.state_dir == Path.home() / ".local/state/codex-oauth"


def test_paths_are_made_absolute_with_the_users_home(
    base: Environ, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environ=base, home="~/here", codex_bin="bin/../codex", metrics="~/m.jsonl")
    assert (settings.home, settings.codex_bin) == (tmp_path / "here", tmp_path / "codex")
    assert settings.metrics == tmp_path / "m.jsonl"


def test_a_home_of_the_users_own_is_not_managed(base: Environ) -> None:
    settings = load_settings(environ={**base, "CODEX_OAUTH_HOME": "/managed"}, codex_home="/their/.codex")
    assert (settings.home, settings.managed) == (Path("/their/.codex"), False)


@pytest.mark.parametrize(
    "places",
    [
        {"home": "/a", "codex_home": "/b"},
        {"home": "/a", "profile": "b"},
        {"codex_home": "/a", "profile": "b"},
        {"home": "/a", "codex_home": "/b", "profile": "c"},
    ],
    ids=" and ".join,
)
def test_two_homes_are_one_too_many(base: Environ, places: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"give one of home= .*, codex_home= .* and profile="):
        load_settings(environ=base, **places)


@pytest.mark.parametrize("name", ["home", "codex_home", "codex_bin"])
@pytest.mark.parametrize("value", ["", 3, b"/a", ["/a"]])
def test_a_place_is_a_path(base: Environ, name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}= must be a path, and not empty"):
        load_settings(environ=base, **{name: value})


# --- profiles --------------------------------------------------------------------------------------------------------


def test_a_profile_has_a_home_of_its_own_whatever_is_set(base: Environ, tmp_path: Path) -> None:
    settings = load_settings(environ={**base, "CODEX_OAUTH_HOME": "/variable"}, profile="work")
    assert settings.home == tmp_path / "state/codex-oauth/profiles/work/codex-home"
    assert (settings.profile, settings.managed) == ("work", True)


@pytest.mark.parametrize("name", [None, "", ".", "../x", "a/b", "-x", "x" * 65, 3, b"work", Path("work")])
def test_a_profiles_name_is_a_short_word(base: Environ, name: Any) -> None:
    if name is None:
        assert load_settings(environ=base, profile=name).profile is None
        return
    with pytest.raises(ConfigurationError, match="a profile's name has 1 to 64 letters, digits"):
        load_settings(environ=base, profile=name)


def test_nothing_but_an_argument_names_a_profile(base: Environ) -> None:
    variables = {"CODEX_OAUTH_PROFILE": "work", "CODEX_PROFILE": "work"}
    assert load_settings(environ={**base, **variables}) == load_settings(environ=base)


# --- external tokens -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "external", "name"),
    [
        ({"CODEX_OAUTH_CREDENTIAL": "{}"}, ExternalSource(credential="{}"), "CODEX_OAUTH_CREDENTIAL"),
        ({"CODEX_OAUTH_TOKEN": "t"}, ExternalSource(token="t"), "CODEX_OAUTH_TOKEN"),
        (
            {"CODEX_OAUTH_TOKEN": "t", "CODEX_ACCOUNT_ID": "a"},
            ExternalSource(token="t", account_id="a"),
            "CODEX_OAUTH_TOKEN",
        ),
        (
            {"CODEX_OAUTH_TOKEN": "t", "CHATGPT_ACCOUNT_ID": "a"},
            ExternalSource(token="t", account_id="a"),
            "CODEX_OAUTH_TOKEN",
        ),
        (
            {"CODEX_OAUTH_TOKEN": "t", "CODEX_OAUTH_CREDENTIAL": "{}"},
            ExternalSource(token="t", credential="{}"),
            "CODEX_OAUTH_CREDENTIAL",
        ),
    ],
)
def test_a_token_of_the_environment_is_kept_as_it_was_set(
    base: Environ, tmp_path: Path, variables: Environ, external: ExternalSource, name: str
) -> None:
    settings = load_settings(environ={**base, **variables})
    assert settings.external == external
    assert external.name == name
    # Where no sign-in can be mistaken for it.
    assert settings.home == tmp_path / "state/codex-oauth/external-home"
    assert load_settings(environ={**base, **variables, "CODEX_OAUTH_HOME": "/own"}).home == Path("/own")
    assert settings.billing_variables == ()


def test_a_command_of_the_file_is_a_source_too(base: Environ, write_config: Callable[[str], Path]) -> None:
    write_config('token_command = ["vault-token", "--json", "a b"]')
    external = load_settings(environ=base).external
    assert external == ExternalSource(command=("vault-token", "--json", "a b"))
    assert external is not None
    assert external.name == "token_command"
    both = load_settings(environ={**base, "CODEX_OAUTH_TOKEN": "t"}).external
    assert both == ExternalSource(token="t", command=("vault-token", "--json", "a b"))


def test_a_commands_program_may_be_in_the_users_home(
    base: Environ, write_config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/users/me")
    write_config('token_command = ["~/bin/token", "~/file"]')
    assert load_settings(environ=base).external == ExternalSource(command=("/users/me/bin/token", "~/file"))


@pytest.mark.parametrize(
    "variables",
    [
        {"CODEX_ACCOUNT_ID": "a", "CHATGPT_ACCOUNT_ID": "a"},
        {"CODEX_OAUTH_TOKEN": "", "CODEX_OAUTH_CREDENTIAL": ""},
        {"CODEX_ACCESS_TOKEN": "t", "OPENAI_API_KEY": "sk-1"},
    ],
)
def test_what_is_no_token_of_this_package_is_no_source(base: Environ, variables: Environ) -> None:
    settings = load_settings(environ={**base, **variables})
    assert (settings.external, settings.home) == (None, load_settings(environ=base).home)


@pytest.mark.parametrize("place", [{"codex_home": "/their/.codex"}, {"profile": "work"}], ids=" ".join)
def test_an_account_that_is_named_is_not_paid_for_by_a_token(base: Environ, place: dict[str, str]) -> None:
    assert load_settings(environ={**base, "CODEX_OAUTH_TOKEN": "t"}, **place).external is None


def test_a_token_is_in_no_repr(base: Environ) -> None:
    variables = {"CODEX_OAUTH_TOKEN": "s3cr3t", "CODEX_OAUTH_CREDENTIAL": "s3cr3t", "CODEX_ACCOUNT_ID": "acc_s3cr3t"}
    assert "s3cr3t" not in repr(load_settings(environ={**base, **variables}))


@pytest.mark.parametrize("value", [False, "off"])
def test_metrics_can_be_turned_off_by_an_argument(base: Environ, value: bool | str) -> None:
    assert load_settings(environ={**base, "CODEX_OAUTH_METRICS": "/m"}, metrics=value).metrics is None


def test_metrics_can_be_turned_off_by_a_variable(base: Environ, write_config: Callable[[str], Path]) -> None:
    write_config('metrics = "/file/metrics"')
    assert load_settings(environ={**base, "CODEX_OAUTH_METRICS": "off"}).metrics is None


def test_metrics_that_an_argument_asks_for_are_where_they_usually_are(base: Environ, tmp_path: Path) -> None:
    settings = load_settings(environ={**base, "CODEX_OAUTH_METRICS": "off"}, metrics=True)
    assert settings.metrics == tmp_path / "state/codex-oauth/metrics.jsonl"


def test_the_service_is_set_by_variable_or_file(base: Environ, write_config: Callable[[str], Path]) -> None:
    write_config('service = "always"\nservice_idle = 60')
    by_file = load_settings(environ=base)
    assert (by_file.service, by_file.service_idle) == ("always", 60.0)
    assert load_settings(environ={**base, "CODEX_OAUTH_SERVICE": "off"}).service == "off"
    assert load_settings(environ={**base, "CODEX_OAUTH_SERVICE": ""}).service == "always"
    with pytest.raises(ConfigurationError, match="CODEX_OAUTH_SERVICE must be one of off, on-demand, always"):
        load_settings(environ={**base, "CODEX_OAUTH_SERVICE": "yes"})


# --- a file that is wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('modle = "x"', r"unknown key 'modle'; did you mean 'model'\?"),
        ("timout = 3", r"unknown key 'timout'; did you mean 'timeout'\?"),
        (
            "zzz = 1",
            (
                "unknown key 'zzz'; known are codex_bin, effort, metrics, model, models, record, service, "
                "service_idle, timeout, token_command"
            ),
        ),
        ("[profile]\nx = 1", "unknown key 'profile'"),
        ("model = 3", "'model' has the wrong type, int"),
        ("service = true", "'service' has the wrong type, bool"),
        ('service = "on"', "'service' must be one of off, on-demand, always"),
        ('service_idle = "long"', "'service_idle' has the wrong type, str"),
        ("service_idle = 0", "'service_idle' is in seconds, at least 1 and at most 604800"),
        ("service_idle = nan", "'service_idle' is in seconds, at least 1 and at most 604800"),
        ("codex_bin = true", "'codex_bin' has the wrong type, bool"),
        ("metrics = false", "'metrics' has the wrong type, bool"),
        ('models = "*-mini"', "'models' has the wrong type, str"),
        ("models = [1]", "'models' must be a list of patterns"),
        ('models = ["*-mini", ""]', "'models' must be a list of patterns"),
        ('token_command = "vault-token"', "'token_command' has the wrong type, str; it must be a list of a program"),
        ("token_command = {}", "'token_command' has the wrong type, dict; it must be a list of a program"),
        ("token_command = []", "'token_command' is empty; leave it out, or name a program and its arguments"),
        ('token_command = [""]', "'token_command' must be a list of a program and its arguments"),
        ('token_command = ["vault", 3]', "'token_command' must be a list of a program and its arguments"),
        ('token_command = ["./vault"]', "'token_command' names a path that is not absolute"),
        ('token_command = ["bin/vault"]', "'token_command' names a path that is not absolute"),
        ('timeout = "30"', "'timeout' has the wrong type, str"),
        ("timeout = true", "'timeout' has the wrong type, bool"),
        ("timeout = 0", "'timeout' is in seconds, more than 0"),
        ("timeout = -1", "'timeout' is in seconds, more than 0"),
        ("timeout = 86401", "'timeout' is in seconds, .* at most 86400"),
        ("timeout = inf", "'timeout' is in seconds"),
        ("timeout = nan", "'timeout' is in seconds"),
        ("model = ", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_its_name_and_key(
    base: Environ, write_config: Callable[[str], Path], text: str, complaint: str
) -> None:
    path = write_config(text)
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        load_settings(environ=base)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_that_is_not_utf8_is_refused(base: Environ, write_config: Callable[[str], Path]) -> None:
    write_config("").write_bytes(b'model = "\xff"')
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        load_settings(environ=base)


def test_a_file_that_cannot_be_read_is_refused(base: Environ, write_config: Callable[[str], Path]) -> None:
    path = write_config("")
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        load_settings(environ=base)


def test_a_named_file_has_to_exist(base: Environ, tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(ConfigurationError, match=r"no such configuration file \(CODEX_OAUTH_CONFIG names it\)"):
        load_settings(environ={**base, "CODEX_OAUTH_CONFIG": str(missing)})


def test_a_file_in_the_place_of_the_folder_is_refused_or_passed_over(base: Environ, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be read: Not a directory"):
        load_settings(environ=base)


# --- what a child may see --------------------------------------------------------------------------------------------

KEPT = [
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "TZ", "TMPDIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "CODEX_CA_CERTIFICATE"),
]
DROPPED = [
    *("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "XAI_API_KEY"),
    *("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "CODEX_HOME", "CODEX_SQLITE_HOME", "RUST_LOG", "OPENAI_ORGANIZATION"),
    *("CODEX_OAUTH_TOKEN", "CODEX_OAUTH_CREDENTIAL", "CODEX_ACCOUNT_ID", "CHATGPT_ACCOUNT_ID", "CODEX_REFRESH_TOKEN"),
    *("CODEX_OAUTH_HOME", "XDG_STATE_HOME", "LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH", "NODE_OPTIONS", "BASH_ENV"),
    *("path", "Home", "Http_Proxy", "MY_PATH", "LC", "ssl_cert_file", "OTEL_EXPORTER_OTLP_ENDPOINT"),
]


@pytest.mark.skipif(os.name == "nt", reason="names are case-insensitive there")
@pytest.mark.parametrize(("name", "kept"), [*((name, True) for name in KEPT), *((name, False) for name in DROPPED)])
def test_a_child_sees_only_what_it_needs(name: str, kept: bool) -> None:
    assert child_environment({name: "value"}) == ({name: "value"} if kept else {})


def test_the_settings_hold_what_the_child_will_see(base: Environ) -> None:
    settings = load_settings(environ={**base, "OPENAI_API_KEY": "sk-1", "https_proxy": "http://proxy"})
    assert settings.inherited == {"PATH": "/bin", "https_proxy": "http://proxy"}


def test_variables_that_could_pay_are_named_and_sorted(base: Environ) -> None:
    paying = {
        "XAI_API_KEY": "x",
        "OPENAI_BASE_URL": "https://example.com",
        "OPENAI_API_KEY": "sk-1",
        "CODEX_API_KEY": "",
        "CODEX_ACCESS_TOKEN": "t",
    }
    settings = load_settings(environ={**base, **paying})
    assert settings.billing_variables == ("CODEX_ACCESS_TOKEN", "OPENAI_API_KEY", "OPENAI_BASE_URL", "XAI_API_KEY")


def test_the_environment_is_in_no_repr(base: Environ) -> None:
    settings = load_settings(environ={**base, "HTTPS_PROXY": "http://user:secret@proxy", "OPENAI_API_KEY": "sk-1"})
    assert "secret" not in repr(settings)
    assert "sk-1" not in repr(settings)
