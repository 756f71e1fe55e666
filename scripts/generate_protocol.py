"""Generate the wire types from the pinned schema, or pin the schema that a codex binary gives.

    generate_protocol.py                  schemas/protocol/app-server.json -> codex_oauth/protocol/_generated*.py
    generate_protocol.py --check          exit 1 if a generated file is not what the pinned schema gives
    generate_protocol.py --pin            the binary's schema, reduced by selection.toml -> app-server.json
    generate_protocol.py --pin --check    exit 1, naming each change, if the binary's schema no longer gives that file

To move to a newer codex: `--pin --check --codex NEW` to see what changed, `--pin --codex NEW`, then without flags.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import shutil
import sys
import tomllib
from pathlib import Path

from protocol.generating import Module
from protocol.pinning import Reduction, changes, dump

ROOT = Path(__file__).resolve().parent.parent
SELECTION = ROOT / "schemas" / "protocol" / "selection.toml"
PINNED = ROOT / "schemas" / "protocol" / "app-server.json"
PACKAGE = ROOT / "codex_oauth" / "protocol"


def find_codex() -> str:
    try:
        bundled = importlib.import_module("codex_cli_bin")  # no types, and not needed except to pin
    except ImportError:
        return shutil.which("codex") or sys.exit("no codex: name one with --codex")
    return str(bundled.bundled_codex_path())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codex", metavar="BIN", help="the binary to pin (default: the bundled one, or PATH's)")
    parser.add_argument("--pin", action="store_true", help="reduce the binary's schema instead of generating Python")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file would change")
    options = parser.parse_args()
    if options.pin:
        return pin(options.codex or find_codex(), check=options.check)
    stale = False
    for name, source in Module(json.loads(PINNED.read_text(encoding="utf-8"))).sources().items():
        path = PACKAGE / name
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        if not options.check:
            path.write_text(source, encoding="utf-8", newline="\n")
        elif present != source:
            stale = True
            diff = difflib.unified_diff(present.splitlines(), source.splitlines(), name, "generated", n=0, lineterm="")
            print(*list(diff)[:40], sep="\n")
    return int(stale)


def pin(codex: str, *, check: bool) -> int:
    version, definitions = dump(codex)
    reduction = Reduction(definitions, tomllib.loads(SELECTION.read_text(encoding="utf-8")))
    pinned = {"codexVersion": version, **reduction.run()}
    print(*reduction.problems, sep="\n", end="\n" if reduction.problems else "")
    if check:
        present = json.loads(PINNED.read_text(encoding="utf-8"))
        differences = list(changes(present, pinned))
        print(f"pinned from codex {present['codexVersion']}, compared with {version}", *differences, sep="\n")
        return int(bool(differences or reduction.problems))
    if not reduction.problems:
        PINNED.write_text(json.dumps(pinned, indent=1, sort_keys=True) + "\n", encoding="utf-8", newline="\n")
    return int(bool(reduction.problems))


if __name__ == "__main__":
    sys.exit(main())
