"""The units: what they run, and that the system's own tools can read them."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.server import launchd_plist, systemd_unit

_COMMAND: Final = ["/bin/true", "-m", "codex_oauth", "serve", "--home", '/home/a "b" $c %d\\e']
_VARIABLES: Final = {"XDG_STATE_HOME": "/home/a b", "NO_PROXY": "", "CODEX_OAUTH_CONFIG": '/etc/100%/"x"$y'}


def test_a_plist_holds_the_command_and_the_variables_as_they_are() -> None:
    agent = plistlib.loads(launchd_plist(_COMMAND, _VARIABLES).encode())
    assert agent["ProgramArguments"] == _COMMAND
    assert agent["EnvironmentVariables"] == _VARIABLES


def test_a_systemd_unit_escapes_what_systemd_would_expand() -> None:
    lines = systemd_unit(_COMMAND, _VARIABLES).splitlines()
    assert r'ExecStart=/bin/true -m codex_oauth serve --home "/home/a \"b\" $$c %%d\\e"' in lines
    assert 'Environment="XDG_STATE_HOME=/home/a b"' in lines
    assert r'Environment="CODEX_OAUTH_CONFIG=/etc/100%%/\"x\"$y"' in lines
    assert "Environment=NO_PROXY=" in lines


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_reads_the_unit_without_a_complaint(tmp_path: Path) -> None:
    unit = tmp_path / "codex-oauth.service"
    unit.write_text(systemd_unit(_COMMAND, _VARIABLES))
    asked = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert [line for line in done.stderr.splitlines() if "codex-oauth.service" in line] == []


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_what_a_unit_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="a line break cannot be written into a unit"):
        systemd_unit(_COMMAND, {"XDG_STATE_HOME": value})
