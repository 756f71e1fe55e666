"""What an app-server's environment has besides what it inherits."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import trustme

from codex_oauth.process.environment import served_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the roots of other systems lie in no file")

ROOTS = [trustme.CA(organization_name=f"root {number}").cert_pem.bytes() for number in range(3)]


class Machine:
    """A machine with its roots in a bundle and in a folder, and a codex."""

    def __init__(self, folder: Path) -> None:
        self.bundle = folder / "bundle.crt"
        self.certificates = folder / "certs"
        self.state_dir = folder / "state"
        self.codex = Path(sys.executable).resolve()
        self.certificates.mkdir()
        self.state_dir.mkdir()
        self.trust(*ROOTS[:2])

    def trust(self, *roots: bytes) -> None:
        self.bundle.write_bytes(b"# a comment\n" + b"".join(roots))
        for number, root in enumerate(roots):
            (self.certificates / f"{number}.pem").write_bytes(root)

    def environment(self, **inherited: str) -> Mapping[str, str]:
        return served_environment(
            {"PATH": "/usr/bin", "HOME": "/home/somebody", **inherited},
            codex=self.codex,
            state_dir=self.state_dir,
            bundles=[self.bundle],
            certificates=self.certificates,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Such a machine."""
    return Machine(tmp_path)


def test_roots_come_from_the_bundle_and_one_of_them_from_a_file_of_its_own(machine: Machine) -> None:
    environment = machine.environment()
    assert environment["SSL_CERT_FILE"] == str(machine.bundle)
    one = Path(environment["CODEX_CA_CERTIFICATE"])
    assert one.parent == machine.state_dir
    assert one.read_bytes().partition(b"\n")[2] == ROOTS[0]
    assert stat.S_IMODE(one.stat().st_mode) == 0o600


def test_the_rest_is_inherited(machine: Machine) -> None:
    environment = machine.environment(LANG="C", HTTPS_PROXY="http://proxy")
    added = {"PATH", "SSL_CERT_FILE", "CODEX_CA_CERTIFICATE"}
    rest = {name: value for name, value in environment.items() if name not in added}
    assert rest == {"HOME": "/home/somebody", "LANG": "C", "HTTPS_PROXY": "http://proxy"}


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("value", ["/of/my/own", ""])
def test_the_users_own_roots_stay_as_they_are(machine: Machine, name: str, value: str) -> None:
    environment = machine.environment(**{name: value})
    variables = ("SSL_CERT_FILE", "SSL_CERT_DIR", "CODEX_CA_CERTIFICATE")
    assert {one: environment[one] for one in variables if one in environment} == {name: value}


def test_a_companys_own_root_stays_beside_the_systems(machine: Machine) -> None:
    environment = machine.environment(CODEX_CA_CERTIFICATE="/of/the/company.pem")
    assert environment["CODEX_CA_CERTIFICATE"] == "/of/the/company.pem"
    assert environment["SSL_CERT_FILE"] == str(machine.bundle)


def test_without_a_bundle_nothing_is_said_about_certificates(machine: Machine) -> None:
    machine.bundle.unlink()
    assert {"SSL_CERT_FILE", "CODEX_CA_CERTIFICATE"}.isdisjoint(machine.environment())


@pytest.mark.parametrize("content", [b"", b"no certificate\n"])
def test_a_bundle_without_a_root_is_none(machine: Machine, content: bytes) -> None:
    machine.bundle.write_bytes(content)
    assert {"SSL_CERT_FILE", "CODEX_CA_CERTIFICATE"}.isdisjoint(machine.environment())


def test_a_root_that_only_the_folder_has_stays_trusted(machine: Machine) -> None:
    (machine.certificates / "of-the-company.pem").write_bytes(ROOTS[2])
    assert {"SSL_CERT_FILE", "CODEX_CA_CERTIFICATE"}.isdisjoint(machine.environment())
    machine.trust(*ROOTS)
    assert machine.environment()["SSL_CERT_FILE"] == str(machine.bundle)


def test_the_file_is_written_once_and_again_when_the_bundle_has_changed(machine: Machine) -> None:
    one = Path(machine.environment()["CODEX_CA_CERTIFICATE"])
    before = one.stat()
    machine.environment()
    assert (one.stat().st_ino, one.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    for path in machine.certificates.iterdir():
        path.unlink()
    machine.trust(ROOTS[2])
    assert Path(machine.environment()["CODEX_CA_CERTIFICATE"]).read_bytes().partition(b"\n")[2] == ROOTS[2]
    assert [path.name for path in machine.state_dir.iterdir() if path.is_file()] == [one.name]


def test_where_nothing_can_be_written_nothing_is_said(machine: Machine) -> None:
    machine.state_dir.rmdir()
    assert machine.environment() == {"PATH": "/usr/bin", "HOME": "/home/somebody"}


def test_a_native_codex_finds_no_programs(machine: Machine) -> None:
    folder = Path(machine.environment()["PATH"])
    assert list(folder.iterdir()) == []
    assert stat.S_IMODE(folder.stat().st_mode) == 0o500


def test_a_codex_that_is_a_script_keeps_its_path(machine: Machine) -> None:
    machine.codex = machine.state_dir / "codex.js"
    machine.codex.write_text("#!/usr/bin/env node\n")
    assert machine.environment()["PATH"] == "/usr/bin"


@pytest.fixture
def program(machine: Machine) -> Callable[[], subprocess.Popen[bytes]]:
    """Starts a process that works the environment out many times, while the bundle changes."""
    text = f"""
from pathlib import Path
from codex_oauth.process.environment import served_environment
for _ in range(200):
    found = served_environment({{}}, codex=Path("/"), state_dir=Path({str(machine.state_dir)!r}),
        bundles=[Path({str(machine.bundle)!r})], certificates=Path({str(machine.certificates)!r}))
    if "CODEX_CA_CERTIFICATE" in found:
        assert b"BEGIN CERTIFICATE" in Path(found["CODEX_CA_CERTIFICATE"]).read_bytes()
"""
    return lambda: subprocess.Popen([sys.executable, "-c", text])


def test_many_processes_at_once_never_see_half_of_the_file(
    machine: Machine, program: Callable[[], subprocess.Popen[bytes]]
) -> None:
    processes = [program() for _ in range(4)]
    while any(process.poll() is None for process in processes):
        os.utime(machine.bundle)
    assert [process.returncode for process in processes] == [0] * 4
