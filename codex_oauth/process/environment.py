"""What an app-server's environment has besides what it inherits, where that makes it start and connect faster.

codex 0.163 reads every certificate of the system's folder for every connection: 290 files and 5 to 7 ms of its
processor each time. From one file it is quicker, but only where a second variable keeps codex from taking that file for
a company's own roots, of which it makes a client of another, slower kind. At its start it runs `lsb_release` and
`getconf` twice each, for its user agent alone, which comes out the same without them; that takes 20 ms of 50 where
`lsb_release` is a script.

All this is for Linux: elsewhere the roots lie in a keychain that no file stands for.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

__all__ = ("BUNDLES", "CERTIFICATES", "served_environment")

BUNDLES: Final = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/ca-bundle.pem"),
    Path("/etc/ssl/cert.pem"),
)
"""Where the system's roots lie in one file, by distribution."""

CERTIFICATES: Final = Path("/etc/ssl/certs")
"""The folder that codex reads otherwise. What lies in it and not in the bundle would not be trusted any more."""

_FORMAT: Final = "codex-oauth 1"
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_LARGEST: Final = 8 * 1024 * 1024
_NATIVE: Final = b"\x7fELF"


def served_environment(
    inherited: Mapping[str, str],
    *,
    codex: Path,
    state_dir: Path,
    bundles: Sequence[Path] = BUNDLES,
    certificates: Path = CERTIFICATES,
) -> dict[str, str]:
    """The environment for an app-server that serves calls on a managed home.

    The user's own `SSL_CERT_FILE`, `SSL_CERT_DIR` and `CODEX_CA_CERTIFICATE` stay as they are. With the first or the
    second set, or where there is no bundle, nothing is said about certificates. A bundle that lacks a root of the
    system's folder is not used either.

    Not for a sign-in: it looks for a browser on the PATH.

    Args:
        inherited: What it has anyway.
        codex: The program. One that is a script needs its PATH.
        state_dir: Where this package keeps its own files.
        bundles: Where to look for the system's roots in one file.
        certificates: The folder that codex reads otherwise.
    """
    environment = dict(inherited)
    if sys.platform != "linux":
        return environment
    if "SSL_CERT_FILE" not in inherited and "SSL_CERT_DIR" not in inherited:
        bundle = next((path for path in bundles if path.is_file()), None)
        if bundle is not None and (root := _one_root(bundle, certificates, state_dir / "one-root.pem")):
            environment["SSL_CERT_FILE"] = str(bundle)
            environment.setdefault("CODEX_CA_CERTIFICATE", root)
    if _is_native(codex):
        folder = state_dir / "no-programs"
        try:
            folder.mkdir(mode=0o500, exist_ok=True)
        except OSError:
            return environment
        environment["PATH"] = str(folder)
    return environment


def _is_native(codex: Path) -> bool:
    try:
        with codex.open("rb", buffering=0) as file:
            return file.read(4) == _NATIVE
    except OSError:
        return False


def _one_root(bundle: Path, certificates: Path, file: Path) -> str | None:
    """A file with one root of the bundle; None where the bundle may not stand for the folder.

    Its first line says what it was made from. While that holds, a call costs two `stat` and the reading of 2 KB.
    """
    try:
        made_from = f"{_FORMAT} {_state(bundle)} {_state(certificates)}"
        try:
            first, _, rest = file.read_bytes().partition(b"\n")
        except FileNotFoundError:
            first = rest = b""
        if first != made_from.encode():
            rest = _chosen(bundle, certificates)
            _write(file, made_from.encode() + b"\n" + rest)
        return str(file) if rest else None
    except OSError:
        return None


def _state(path: Path) -> str:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return "none"
    return f"{path} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def _chosen(bundle: Path, certificates: Path) -> bytes:
    """The bundle's first root; empty where the folder holds one that the bundle does not."""
    roots = [_bare(pem) for pem in _roots(bundle)]
    known = set(roots)
    if certificates.is_dir():
        for entry in sorted(certificates.iterdir()):
            # codex reads what lies there under the name of a hash, and this package all of it, to be sure.
            if entry.is_file() and not known.issuperset(_bare(pem) for pem in _roots(entry)):
                return b""
    return roots[0] + b"\n" if roots else b""


def _roots(file: Path) -> list[bytes]:
    if file.stat().st_size > _LARGEST:
        raise OSError(f"{file}: too large")
    return _PEM.findall(file.read_bytes())


def _bare(pem: bytes) -> bytes:
    # The same certificate may end its lines in another way.
    return b"\n".join(pem.split(b"\n")).replace(b"\r", b"")


def _write(file: Path, content: bytes) -> None:
    # Several may do it at once, and each writes the same.
    new = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
        os.replace(new, file)
    except OSError:
        new.unlink(missing_ok=True)
        raise
