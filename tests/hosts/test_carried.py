"""What an installed hook carries, read back from its command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from codex_oauth.errors import ConfigurationError
from codex_oauth.hosts.carried import gone_file, kept_program, options_of, remade_by, with_program
from codex_oauth.hosts.hook_command import HookOptions, hook_command


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    options = HookOptions(
        home=tmp_path / "it's mine", codex_bin=Path("/bin/codex"), policy=tmp_path / "a b", on_failure="deny"
    )
    assert options_of(hook_command("codex", options), "codex") == (options, ())


def test_a_hand_may_have_written_it_otherwise() -> None:
    command = "A=1 codex-oauth hook claude --profile=x --profile work --loud --policy ~/gate.toml 2>/dev/null"
    options, unknown = options_of(command, "claude")
    assert options == HookOptions(profile="work", policy=Path("~/gate.toml").expanduser())
    assert unknown[0] == "--loud"
    assert options_of("codex-oauth hook claude --policy", "claude") == (HookOptions(), ())
    assert options_of("echo", "claude") == (HookOptions(), ())


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ("/old/codex-oauth hook claude", None),
        ("/old/python -P -m codex_oauth hook claude", None),
        ("codex-oauth hook claude --profile x", "codex-oauth"),
        ("uv run  codex-oauth hook claude", "uv run  codex-oauth"),
        ('"$HOME/bin/codex-oauth" hook claude', '"$HOME/bin/codex-oauth"'),
        ("codex-oauth hook codex", None),
    ],
)
def test_a_program_that_somebody_has_chosen_is_kept_as_it_is_written(command: str, kept: str | None) -> None:
    assert kept_program(command, "claude") == kept


def test_variables_before_the_program_are_kept_and_the_program_is_this_ones() -> None:
    kept = kept_program("A='b c' /old/codex-oauth hook claude", "claude")
    assert kept is not None
    assert kept.startswith(f"A='b c' {Path(sys.executable).parent}")


def test_a_program_has_to_be_known_again() -> None:
    assert with_program(" uv run codex-oauth ", "codex") == "uv run codex-oauth"
    with pytest.raises(ConfigurationError, match="no command that ends with codex-oauth"):
        with_program("python", "codex")


def test_what_is_gone_is_left_out_by_the_command_that_mends(tmp_path: Path) -> None:
    command = f"codex-oauth hook claude --profile work --policy {tmp_path}/gone.toml"
    assert gone_file(command, "claude") == "--policy"
    assert gone_file("codex-oauth hook claude", "claude") is None
    mend = remade_by("codex-oauth install claude", command, "claude", without="--policy")
    assert mend == "codex-oauth install claude --reset --command codex-oauth --profile work"
