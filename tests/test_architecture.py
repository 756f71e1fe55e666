"""The layers of the package, read from its source: who may import whom, and what only some may do."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

import codex_oauth

PACKAGE: Final = Path(codex_oauth.__file__).parent

CLIENT_LEVEL: Final = {
    "account_calls",
    "calling",
    "client",
    "conversation",
    "lease",
    "pickled",
    "server_process",
    "shared_session",
    "stream",
    "sync_calls",
    "sync_client",
    "tool_runs",
    "trace",
}
LEAVES: Final = {
    "config",
    "errors",
    "events",
    "explaining",
    "images",
    "items",
    "lateness",
    "models",
    "protocol",
    "records",
    "redaction",
    "schema",
    "switches",
    "thin",
    "tools",
    "types",
    "version",
}

# What each part may import besides itself, lowest first: a lower layer never names a higher one.
MAY_IMPORT: Final[dict[str, set[str]]] = {
    "errors": set(),
    "types": {"records"},
    "version": set(),
    "tools": {"errors", "types"},
    "thin": {"version"},
    "config": {"errors", "records", "switches", "thin", "version"},
    "switches": set(),
    "events": {"records", "types"},
    "images": {"errors"},
    "items": {"errors", "images", "protocol", "schema", "types"},
    "models": {"errors", "types"},
    "records": set(),
    "redaction": set(),
    "explaining": {"errors", "redaction"},
    "lateness": {"errors", "events"},
    "protocol": {"errors"},
    "schema": {"errors", "types"},
    "metrics": {"records"},
    "recorder": LEAVES | {"metrics"},
    "testing": set(),
    "process": LEAVES,
    "transport": LEAVES | {"process"},
    "jsonrpc": LEAVES | {"transport"},
    "session": LEAVES | {"process", "transport", "jsonrpc"},
    "policy": LEAVES | {"session"},
    "home": LEAVES | {"process"},
    "account": LEAVES | {"process", "session"},
    "client level": LEAVES | {"process", "session", "policy", "home", "account", "metrics", "recorder"},
    "cold": LEAVES | {"client level", "process", "session", "policy", "account", "home"},
    "batch": LEAVES | {"client level"},
    "gate": LEAVES | {"client level", "metrics"},
    "hosts": LEAVES | {"process", "transport", "jsonrpc"},
    "server": LEAVES | {"client level", "gate", "home", "process", "metrics"},
    "endpoint": LEAVES | {"client level", "metrics"},
    "llm": LEAVES | {"client level", "account"},
    "cli": LEAVES
    | {
        "account",
        "batch",
        "client level",
        "cold",
        "endpoint",
        "gate",
        "home",
        "hosts",
        "metrics",
        "process",
        "recorder",
        "server",
        "session",
    },
}

EXCEPTIONS: Final = {
    ("codex_oauth.cli.demo", "codex_oauth.testing"): "the demonstration runs on the stand-in",
}

MAY_BE_LONG: Final[dict[str, str]] = {
    "codex_oauth.errors": "one tree, drawn in its docstring; most of it is what each error says to a caller",
}
MAY_HAVE_NO_ALL: Final = {"codex_oauth.__main__", "codex_oauth.testing.__main__", "codex_oauth.testing.pytest_plugin"}


@dataclass(frozen=True)
class Module:
    """A module of the package, parsed."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def part(self) -> str:
        """The part of the design that it belongs to."""
        first = self.name.split(".")[1] if "." in self.name else ""
        return "client level" if first in CLIENT_LEVEL else first

    @property
    def is_generated(self) -> bool:
        """Whether a script wrote it."""
        return self.path.name.startswith("_generated")

    def imports(self) -> Iterator[tuple[str, str]]:
        """Every import of this package, wherever it stands: the module, and the name taken from it."""
        package = self.name.split(".") if self.path.name == "__init__.py" else self.name.split(".")[:-1]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, "") for alias in node.names if alias.name.split(".")[0] == "codex_oauth")
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                source = ".".join([*base, *([node.module] if node.module else [])])
                for alias in node.names:
                    if f"{source}.{alias.name}" in modules():
                        yield f"{source}.{alias.name}", ""
                    elif source.split(".")[0] == "codex_oauth":
                        yield source, alias.name


@cache
def modules() -> dict[str, Module]:
    """Every module by its name."""
    found: dict[str, Module] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8")))
    return found


def layered() -> list[Module]:
    """The modules that belong to a layer: all but the package's own front doors."""
    return [module for module in modules().values() if module.name not in ("codex_oauth", "codex_oauth.__main__")]


def test_every_module_belongs_to_a_layer() -> None:
    assert {module.part for module in layered()} == set(MAY_IMPORT)


def test_a_layer_imports_only_what_lies_below_it() -> None:
    wrong = [
        f"{module.name} imports {target}"
        for module in layered()
        for target, _ in module.imports()
        if modules()[target].part not in MAY_IMPORT[module.part] | {module.part}
        and (module.name, target) not in EXCEPTIONS
    ]
    assert wrong == []


def test_no_layer_imports_the_package_that_offers_it() -> None:
    assert [module.name for module in layered() if any(target == "codex_oauth" for target, _ in module.imports())] == []


def test_every_exception_to_the_layers_is_in_use() -> None:
    used = {(module.name, target) for module in layered() for target, _ in module.imports()}
    assert set(EXCEPTIONS) <= used


def test_no_part_is_allowed_to_import_one_that_may_import_it_back() -> None:
    reachable = {part: set(below) for part, below in MAY_IMPORT.items()}
    for _ in MAY_IMPORT:
        for below in reachable.values():
            below |= {deeper for part in tuple(below) if part not in LEAVES for deeper in reachable[part]}
    assert [part for part, below in reachable.items() if part in below and part not in LEAVES] == []


@pytest.mark.parametrize("part", ["batch", "endpoint", "gate", "llm", "server", "cli"])
def test_what_people_touch_is_built_on_public_names(part: str) -> None:
    private = [
        f"{module.name}: {target}.{name}"
        for module in layered()
        if module.part == part
        for target, name in module.imports()
        if modules()[target].part == "client level" and name not in codex_oauth.__all__
    ]
    assert private == []


def test_only_the_configuration_reads_the_environment() -> None:
    readers = {
        module.name
        for module in layered()
        if module.part != "testing"
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "getenvb"))
        or (isinstance(node, ast.ImportFrom) and node.module == "os")
    }
    # The one of a hook that has no time to import it.
    assert readers == {"codex_oauth.config", "codex_oauth.cli.request"}


def test_only_the_command_line_and_the_stand_in_print() -> None:
    printing = {
        module.name
        for module in modules().values()
        if module.part not in ("cli", "testing")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "input")
    }
    assert printing == set()


def test_modules_are_short() -> None:
    lengths = {
        module.name: len(module.path.read_text(encoding="utf-8").splitlines())
        for module in modules().values()
        if not module.is_generated
    }
    assert {name for name, length in lengths.items() if length > 600} == set()
    assert {name for name, length in lengths.items() if length > 400} == set(MAY_BE_LONG)


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_module_says_what_it_is_for(name: str) -> None:
    assert ast.get_docstring(modules()[name].tree)


@pytest.mark.parametrize("name", sorted(set(modules()) - MAY_HAVE_NO_ALL))
def test_a_module_lists_its_public_names(name: str) -> None:
    module = modules()[name]
    exported: list[str] = list(import_module(name).__all__)
    assert exported == sorted(exported, key=_as_in_a_list_of_names)
    assert len(exported) == len(set(exported))
    assert [exported_name for exported_name in exported if not hasattr(import_module(name), exported_name)] == []
    public = {
        node.name
        for node in module.tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    }
    assert public <= set(exported)


def test_every_module_can_be_the_first_to_be_imported() -> None:
    # Other packages' modules stay loaded between the imports; this package's do not.
    program = """if True:
        import importlib, sys
        for name in sys.argv[1:]:
            for loaded in [loaded for loaded in sys.modules if loaded.split(".")[0] == "codex_oauth"]:
                del sys.modules[loaded]
            try:
                importlib.import_module(name)
            except ImportError as error:
                print(f"{name}: {error}")
    """
    done = subprocess.run(
        [sys.executable, "-c", program, *sorted(modules())], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _as_in_a_list_of_names(name: str) -> tuple[int, str]:
    # CONSTANTS, then Classes, then functions; alphabetical within each.
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name
