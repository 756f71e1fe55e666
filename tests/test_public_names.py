"""What `import codex_oauth` offers, what it costs, and the tree of errors."""

from __future__ import annotations

import ast
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import codex_oauth
from codex_oauth import errors
from codex_oauth.errors import CodexOAuthError
from codex_oauth.testing import Json, LoopbackChatGPT

HEAVY: Final = {"anyio", "asyncio", "click", "jsonschema", "pydantic", "rich", "trio"}
EXIT_STATUSES: Final = {
    "CodexOAuthError": 1,
    "ConfigurationError": 2,
    "AccountError": 3,
    "AccountCheckError": 1,
    "CredentialRejectedError": 3,
    "UsageLimitError": 4,
    "DeadlineExceededError": 5,
    "CodexNotFoundError": 6,
    "UnsupportedCodexError": 6,
    "OutputValidationError": 7,
}
"""Where an exit status begins to hold: in this class and below it, unless a class below says otherwise."""


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after running this."""
    program = "import json, sys; exec(sys.argv[1]); print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, timeout=30, check=True)
    return set(json.loads(done.stdout))


def imported_by(environ: dict[str, str], folder: Path, *arguments: str) -> tuple[set[str], bytes]:
    """The packages that the command line imports on its way to the end of a command, and what it prints."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "codex_oauth", *arguments],
        env=environ,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = re.findall(r"^import time:.*\|\s+([\w.]+)$", done.stderr.decode(), re.MULTILINE)
    return {line.split(".")[0] for line in lines}, done.stdout


def declared() -> set[str]:
    """The names that type checkers see: those imported under TYPE_CHECKING."""
    tree = ast.parse(Path(codex_oauth.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.asname or alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }


def drawn_tree() -> dict[str, str]:
    """Each class of the docstring's drawing, with its parent."""
    stack: list[tuple[int, str]] = []
    parents: dict[str, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^([│├└─ ]*)([A-Z]\w+(?:Error|Required))(\s|$)", line)
        if found is None or not line.startswith(("    ", "    │")):
            continue
        indent = len(found.group(1))
        while stack and stack[-1][0] >= indent:
            stack.pop()
        parents[found.group(2)] = stack[-1][1] if stack else "Exception"
        stack.append((indent, found.group(2)))
    return parents


def all_errors() -> list[type[CodexOAuthError]]:
    """Every exception class of the package."""
    found: list[type[CodexOAuthError]] = [CodexOAuthError]
    for cls in found:
        found += cls.__subclasses__()
    return [cls for cls in found if cls.__module__ == errors.__name__]


def test_the_public_names_are_sorted_and_named_once() -> None:
    names = codex_oauth.__all__
    assert list(names) == sorted(set(names), key=lambda name: (name[0].islower(), name))


@pytest.mark.parametrize("name", codex_oauth.__all__)
def test_a_public_name_can_be_had(name: str) -> None:
    value = getattr(codex_oauth, name)
    assert getattr(value, "__name__", name) == name


def test_type_checkers_see_the_same_names() -> None:
    assert declared() == set(codex_oauth.__all__)


def test_every_exception_of_the_package_is_public() -> None:
    assert {cls.__name__ for cls in all_errors()} <= set(codex_oauth.__all__)


def test_a_star_import_gives_the_public_names() -> None:
    namespace: dict[str, object] = {}
    exec("from codex_oauth import *", namespace)
    assert set(namespace) - {"__builtins__"} == set(codex_oauth.__all__)


def test_dir_lists_what_is_not_yet_imported() -> None:
    program = "import codex_oauth, sys; names = dir(codex_oauth); print(set(codex_oauth.__all__) <= set(names)); "
    program += "print(names == sorted(names), 'codex_oauth.errors' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["True", "True", "False"]


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="module 'codex_oauth' has no attribute 'Codexx'"):
        _ = codex_oauth.Codexx  # type: ignore[attr-defined]


def test_importing_the_package_imports_nothing_heavy() -> None:
    loaded = loaded_by("import codex_oauth")
    assert loaded & HEAVY == set()
    assert {name for name in loaded if name.startswith("codex_oauth.")} == set()


def test_catching_errors_costs_no_client() -> None:
    assert loaded_by("from codex_oauth import CodexOAuthError, UsageLimitError") & HEAVY == set()


def test_the_client_needs_neither_pydantic_nor_jsonschema_until_a_call_does() -> None:
    assert loaded_by("from codex_oauth import Codex, AsyncCodex, classify") & {"pydantic", "jsonschema"} == set()


def test_the_command_lines_root_imports_no_command() -> None:
    assert loaded_by("import codex_oauth.cli.root") & (HEAVY - {"click"}) == set()


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_asking_for_help_imports_nothing_heavy(
    environ: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    imported, printed = imported_by(environ, tmp_path, *arguments)
    assert printed
    assert imported & (HEAVY - {"click"}) == set()


@pytest.mark.usefixtures("settings")
def test_a_verdict_on_the_command_line_costs_no_pydantic(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.script(Json({"reason": "Only looks.", "rule": "read-only", "behavior": "allow", "deny_message": ""}))
    imported, printed = imported_by(environ, tmp_path, "classify", "--command", "git status", "--json")
    assert json.loads(printed)["behavior"] == "allow"
    assert imported & {"pydantic", "rich", "platformdirs"} == set()


def test_the_drawn_tree_of_errors_is_the_real_one() -> None:
    assert drawn_tree() == {cls.__name__: cls.__bases__[0].__name__ for cls in all_errors()}


def test_a_deadline_is_also_the_standard_librarys_timeout() -> None:
    assert issubclass(errors.DeadlineExceededError, TimeoutError)


@pytest.mark.parametrize("cls", all_errors(), ids=lambda cls: cls.__name__)
def test_an_error_says_in_words_what_it_means(cls: type[CodexOAuthError]) -> None:
    assert (cls.__doc__ or "").strip().endswith(".")


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [cls.code for cls in all_errors()]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("cls", all_errors(), ids=lambda cls: cls.__name__)
def test_an_error_has_the_exit_status_of_its_branch(cls: type[CodexOAuthError]) -> None:
    branch = next(parent.__name__ for parent in cls.__mro__ if parent.__name__ in EXIT_STATUSES)
    assert cls.exit_status == EXIT_STATUSES[branch]


@pytest.mark.parametrize("cls", [cls for cls in all_errors() if issubclass(cls, errors.UsageLimitError)])
def test_a_usage_limit_is_never_called_retryable(cls: type[CodexOAuthError]) -> None:
    assert not cls.retryable


@pytest.mark.parametrize("cls", all_errors(), ids=lambda cls: cls.__name__)
def test_an_error_survives_pickling(cls: type[CodexOAuthError]) -> None:
    error = cls("what happened")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (cls, "what happened", vars(error))


def test_the_data_of_an_error_survives_pickling() -> None:
    error = errors.UsageLimitReachedError("used up", resets_at=1_800_000_000, plan="plus", window=300)
    again = pickle.loads(pickle.dumps(error))
    assert (again.resets_at, again.plan, again.window) == (1_800_000_000, "plus", 300)


def test_a_reply_that_does_not_fit_is_in_no_text_of_its_error() -> None:
    error = errors.OutputValidationError("it does not fit", reply="my secret", errors=("at $: not an object",))
    assert "my secret" not in f"{error} {error!r}"
