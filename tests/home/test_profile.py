"""The profile as text: what is written for a binary, and what its own listings may look like."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.config import Settings
from codex_oauth.errors import UnsupportedCodexError
from codex_oauth.home.profile import features_to_disable, hermetic_catalogue, render_config, visible_models
from codex_oauth.process import find_binary
from codex_oauth.process.locate import run_codex
from codex_oauth.types import Model

LISTING = """\
apply_patch_freeform                 under development  false
enable_request_compression           stable             true
multi_agent                          stable             true
old_thing                            deprecated         true
plugins                              stable             true
shell_snapshot                       experimental       true
shell_tool                           stable             true
system_proxy_fallback                stable             true
web_search_cached                    stable             false
"""


def entry(slug: str, **fields: Any) -> dict[str, Any]:
    return {"slug": slug, "supported_reasoning_levels": [{"effort": "low"}], "visibility": "list", **fields}


@pytest.mark.parametrize(
    "folder",
    [
        "/home/u",
        "/home/a b",
        '/home/"quoted"',
        "/home/it's",
        "/home/back\\slash",
        "/home/größe/家/🙂",
        "/tab\there",
        "/del\x7f",
    ],
)
@pytest.mark.parametrize("agents_table", [True, False])
def test_the_configuration_is_toml_wherever_the_home_lies(folder: str, agents_table: bool) -> None:
    text = render_config(
        version="0.163.0", catalogue=Path(folder) / "models.json", features=("a", "b_c"), agents_table=agents_table
    )
    config = tomllib.loads(text)
    assert config["model_catalog_json"] == f"{folder}/models.json"
    assert config["features"] == {"a": False, "b_c": False}
    assert config.get("agents") == ({"enabled": False} if agents_table else None)
    assert (config["project_doc_max_bytes"], config["cli_auth_credentials_store"]) == (0, "file")
    assert (config["history"]["persistence"], config["web_search"]) == ("none", "disabled")


def test_the_configuration_names_no_model_and_no_host() -> None:
    config = tomllib.loads(render_config(version="1", catalogue=Path("/m"), features=(), agents_table=True))
    assert not {"model", "model_provider", "model_providers", "openai_base_url", "chatgpt_base_url"} & set(config)


def test_what_is_stable_and_on_is_turned_off_but_for_transport() -> None:
    assert features_to_disable(LISTING) == ("multi_agent", "plugins", "shell_tool")


def test_lines_that_are_no_features_are_passed_over() -> None:
    noise = "WARNING: something\n\nname stage on\n" + LISTING + "3 features\n\ufffd\n"
    assert features_to_disable(noise) == features_to_disable(LISTING)


@pytest.mark.parametrize("listing", ["", "\n\n", "error: unrecognized subcommand 'features'", "a b", "\0" * 100, "[]"])
def test_a_listing_that_cannot_be_read_is_an_unsupported_binary(listing: str) -> None:
    with pytest.raises(UnsupportedCodexError, match="features list"):
        features_to_disable(listing)


def test_the_real_binarys_features_include_those_that_bring_tools(settings: Settings, tmp_path: Path) -> None:
    printed = run_codex(find_binary(settings), "features", "list", home=tmp_path, inherited=dict(settings.inherited))
    names = features_to_disable(printed)
    assert {"shell_tool", "plugins", "apps"} <= set(names)
    assert len(printed.splitlines()) > len(names)


def test_the_catalogue_loses_what_brings_tools_and_keeps_the_rest() -> None:
    brought = {
        "tool_mode": "code_mode_only",
        "multi_agent_version": 2,
        "experimental_supported_tools": ["a"],
        "apply_patch_tool_type": "freeform",
        "shell_type": "unified_exec",
        "supports_search_tool": True,
    }
    catalogue = hermetic_catalogue(json.dumps({"models": [entry("m", context_window=1, **brought)], "other": 2}))
    assert catalogue == {
        "models": [
            entry(
                "m",
                context_window=1,
                experimental_supported_tools=[],
                apply_patch_tool_type=None,
                shell_type="disabled",
                supports_search_tool=False,
            )
        ],
        "other": 2,
    }


@pytest.mark.parametrize(
    "bundled",
    [
        "",
        "{}",
        "[]",
        "null",
        "not json",
        '{"models": null}',
        '{"models": 3}',
        '{"models": "text"}',
        '{"models": ["a"]}',
        '{"models": [{}]}',
        '{"models": [{"slug": "m"}]}',
        '{"models": [{"slug": "m", "supported_reasoning_levels": null}]}',
        '{"models": [{"slug": "m", "supported_reasoning_levels": ["low"]}]}',
        (
            '{"models": [{"slug": "a", "supported_reasoning_levels": [], "priority": "x"},'
            ' {"slug": "b", "supported_reasoning_levels": []}]}'
        ),
        '{"models": {"a": {}}}',
    ],
)
def test_a_catalogue_that_cannot_be_read_is_an_unsupported_binary(bundled: str) -> None:
    with pytest.raises(UnsupportedCodexError, match="catalogue"):
        hermetic_catalogue(bundled)


def test_an_empty_catalogue_is_an_unsupported_binary() -> None:
    with pytest.raises(UnsupportedCodexError, match="catalogue"):
        hermetic_catalogue('{"models": []}')


def test_models_come_by_priority_and_the_first_visible_one_is_the_default() -> None:
    catalogue = {
        "models": [
            entry("last", priority=9),
            entry("hidden", priority=0, visibility="hide"),
            entry("first", priority=1, display_name="First", description="D", default_reasoning_level="low"),
        ]
    }
    plain: dict[str, Any] = {"efforts": ("low",), "description": "", "default_effort": None}
    assert visible_models(catalogue) == (
        Model(id="hidden", name="hidden", default=False, hidden=True, **plain),
        Model(
            id="first",
            name="First",
            description="D",
            efforts=("low",),
            default_effort="low",
            default=True,
            hidden=False,
        ),
        Model(id="last", name="last", default=False, hidden=False, **plain),
    )
