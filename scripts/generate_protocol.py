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
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

Schema = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
SELECTION = ROOT / "schemas" / "protocol" / "selection.toml"
PINNED = ROOT / "schemas" / "protocol" / "app-server.json"
PACKAGE = ROOT / "codex_oauth" / "protocol"

REF = "#/definitions/"
STRING: Schema = {"type": "string"}
WIDTH = 120


# --- pin: the binary's schema, reduced ---------------------------------------------------------------------------


def dump(codex: str) -> tuple[str, Schema]:
    """Ask a codex binary for its version and the whole schema of its protocol."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch, "home")
        home.mkdir()
        # A home of its own: the developer's is neither read nor written.
        env = {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "CODEX_HOME": str(home)}
        version = subprocess.run([codex, "--version"], env=env, check=True, capture_output=True, text=True).stdout
        argv = [codex, "app-server", "generate-json-schema", "--experimental", "--out", scratch]
        subprocess.run(argv, env=env, check=True, capture_output=True)
        bundle = json.loads(Path(scratch, "codex_app_server_protocol.schemas.json").read_text(encoding="utf-8"))
    return version.split()[-1], bundle["definitions"]


def is_tagged(variant: Schema) -> bool:
    return "enum" in variant.get("properties", {}).get("type", {})


def tag_of(variant: Schema) -> str | None:
    """The name of a union's member: the value of its `type`, or the one key of an externally tagged object."""
    if is_tagged(variant):
        return variant["properties"]["type"]["enum"][0]
    return variant["required"][0] if len(variant.get("required", ())) == 1 else None


class Reduction:
    """The definitions that the selection reaches, without descriptions and without what it does not keep."""

    def __init__(self, definitions: Schema, selection: Schema) -> None:
        self._source = definitions
        self._selection = selection
        self._unused = {*selection["keep"], *selection["only"], *selection["collapse"]}
        self.definitions: Schema = {}
        self.problems: list[str] = []

    def run(self) -> Schema:
        pinned: Schema = {}
        for section, union in (("requests", "ClientRequest"), ("server_requests", "ServerRequest")):
            known = self._known(union)
            selected: dict[str, list[str]] = self._selection[section]
            for method, (params, _) in selected.items():
                if method not in known:
                    self.problems.append(f"{union}: {method} is gone")
                elif params and not json.dumps(known[method]["params"]).endswith(f'/{params}"}}'):
                    self.problems.append(f"{union}: {method} takes something other than {params}")
            if section == "server_requests":
                self.problems += [f"{union}: {method} is new" for method in known if method not in selected]
            pinned[section] = {m: {"params": p or None, "result": r} for m, (p, r) in selected.items()}
        pinned["notifications"] = self._selection["notifications"]
        announced = self._known("ServerNotification").keys() | set(self._selection["unlisted"]["notifications"])
        self.problems += [f"ServerNotification: {m} is gone" for m in pinned["notifications"] if m not in announced]
        for entry in (*pinned["requests"].values(), *pinned["server_requests"].values()):
            for name in filter(None, entry.values()):
                self._root(name)
        for name in pinned["notifications"].values():
            self._root(name)
        self.problems += [f"selection: nothing uses {name}" for name in sorted(self._unused)]
        return {**pinned, "definitions": self.definitions}

    def _known(self, union: str) -> dict[str, Schema]:
        return {m["properties"]["method"]["enum"][0]: m["properties"] for m in self._source[union]["oneOf"]}

    def _root(self, name: str) -> None:
        self._define(name, self._source["v2"].get(name) or self._source.get(name))

    def _define(self, name: str, schema: Schema | None) -> Schema:
        if schema is None:
            self.problems.append(f"{name} is gone")
        elif name in self._selection["opaque"]["definitions"]:
            self.definitions[name] = {"type": "object", "additionalProperties": True}
        elif name not in self.definitions:
            self.definitions[name] = {}  # holds the place while its own references are followed
            reduced = self._reduce(schema, name)
            if reduced == STRING:
                del self.definitions[name]  # a name for a plain string says nothing
                return STRING
            self.definitions[name] = reduced
        return {"$ref": REF + name}

    def _reduce(self, schema: Schema | bool, name: str) -> Any:
        if isinstance(schema, bool) or not schema.keys() - {"description", "title", "default"}:
            return True
        if "$ref" in schema:
            path = schema["$ref"].removeprefix(REF).split("/")
            return self._define(path[-1], (self._source["v2"] if path[0] == "v2" else self._source).get(path[-1]))
        if len(schema.get("allOf", ())) == 1:  # how a description is attached to a reference
            return self._reduce(schema["allOf"][0], name)
        variants: list[Schema] = schema.get("oneOf") or schema.get("anyOf") or []
        if variants and ("properties" not in schema or all(map(is_tagged, variants))):
            if "properties" in schema:  # what all members have is said beside them
                variants = [
                    {
                        "properties": schema["properties"] | variant["properties"],
                        "required": [*schema.get("required", ()), *variant.get("required", ())],
                    }
                    for variant in variants
                ]
            return self._union(variants, name)
        if schema.get("type") == "object":
            return self._object(schema, name)
        reduced: Schema = {"type": schema["type"]}
        if "enum" in schema:
            reduced["enum"] = self._only(name, schema["enum"])
        if "items" in schema:
            reduced["items"] = self._reduce(schema["items"], name)
        if "object" in schema["type"]:
            reduced["additionalProperties"] = self._reduce(schema.get("additionalProperties", True), name)
        return reduced

    def _object(self, schema: Schema, name: str) -> Schema:
        properties: Schema = dict(schema.get("properties", {}))
        required: set[str] = set(schema.get("required", ()))
        if not properties and "additionalProperties" in schema:
            return {"type": "object", "additionalProperties": self._reduce(schema["additionalProperties"], name)}
        self._unused.discard(name)
        keep: set[str] = set(self._selection["keep"].get(name, properties))
        # One object that takes this property or that one: the selection keeps one of them, or neither.
        branches: list[Schema] = schema.get("anyOf") or schema.get("oneOf") or []
        for branch in (b for b in branches if set(b.get("required", ())) <= keep):
            properties |= branch["properties"]
            required |= set(branch["required"])
        self.problems += [f"{name}.{gone} is gone" for gone in sorted(keep - properties.keys())]
        reduced: Schema = {"type": "object"}
        kept = {key: self._reduce(properties[key], f"{name}.{key}") for key in sorted(keep & properties.keys())}
        if kept:
            reduced |= {"properties": kept, "required": sorted(required & keep)}
        return reduced

    def _union(self, variants: list[Schema], name: str) -> Schema:
        values: set[str] = set()
        objects: dict[str, Schema] = {}
        others: list[Any] = []
        for variant in variants:
            tag = tag_of(variant)
            if "enum" in variant:
                values |= set(variant["enum"])
            elif tag is not None:
                objects[tag] = variant
            else:
                others.append(self._reduce(variant, name))
        collapse: Schema | None = self._selection["collapse"].get(name)
        self._unused.discard(name)
        only = set(self._only(name, values | objects.keys())) if not collapse else set(collapse["variants"])
        members: list[Any] = [{"type": "string", "enum": sorted(values & only)}] if values & only else []
        members += [self._object(objects[tag], f"{name}.{tag}") for tag in sorted(objects.keys() & only)]
        if collapse:
            common: dict[str, Schema] = dict.fromkeys(collapse["common"], STRING)
            common["type"] = {"type": "string", "enum": sorted(objects.keys() - only)}
            members.append({"type": "object", "properties": common, "required": sorted(common)})
        members += others
        return members[0] if len(members) == 1 else {"oneOf": members}

    def _only(self, name: str, values: Iterable[str]) -> list[str]:
        self._unused.discard(name)
        only: list[str] = self._selection["only"].get(name, sorted(values))
        self.problems += [f"{name}: {gone} is gone" for gone in only if gone not in values]
        return sorted(only)


# --- generate: Python from the pinned schema ---------------------------------------------------------------------

TYPES_HEADER = '''\
"""The app-server's wire types. Generated by scripts/generate_protocol.py from codex {version}: do not edit.

Keys are the wire's own. What is received is open: an enumeration is a `str`, with the values that codex {version} knows
in a comment, and a union's `type` may be one that no `Literal` names; the shapes let both pass. What is sent is closed.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

'''

# A module of its own: to build the types takes milliseconds, and a call needs the shapes only.
SHAPES_HEADER = '''\
"""The messages' shapes. Generated by scripts/generate_protocol.py from codex {version}: do not edit."""

from __future__ import annotations

from codex_oauth.protocol.shapes import (
    {imports},
)

__all__ = ("SHAPES",)


'''

Direction = Literal["sent", "received"]
HINTS = {"boolean": "bool", "integer": "int", "null": "None", "string": "str"}
SHAPES = {"boolean": "BOOLEAN", "integer": "INTEGER", "string": "STRING"}
# What the generated module imports, in the order that import sorters want.
SHAPE_NAMES = (
    *("ANY", "BOOLEAN", "INTEGER", "OBJECT", "STRING", "STRING_OR_OBJECT"),
    *("ListOf", "MapOf", "Nullable", "Object", "Shape", "Tagged"),
)
# A Python expression: as it stands, or as brackets around others, each with what leads up to it.
Expression = str | tuple[str, list[tuple[str, "Expression"]], str]


def flat(expression: Expression) -> str:
    if isinstance(expression, str):
        return expression
    opening, items, closing = expression
    return opening + ", ".join(lead + flat(item) for lead, item in items) + closing


def render(expression: Expression, lead: str, indent: str = "", trail: str = "") -> str:
    line = indent + lead + flat(expression) + trail
    if len(line) <= WIDTH or isinstance(expression, str):
        return line
    opening, items, closing = expression
    lines = [render(item, item_lead, indent + "    ", ",") for item_lead, item in items]
    return "\n".join([indent + lead + opening, *lines, indent + closing + trail])


def mapping(entries: Iterable[tuple[str, Expression]]) -> Expression:
    return "{", [(f"{json.dumps(key)}: ", value) for key, value in entries], "}"


def constant(name: str) -> str:
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in name).upper()


def references(schema: Any) -> Iterator[str]:
    for match in re.finditer(rf'"{REF}(\w+)"', json.dumps(schema)):
        yield match[1]


def kinds(schema: Schema) -> list[str]:
    kind: str | list[str] = schema["type"]
    return [kind] if isinstance(kind, str) else kind


def hint(schema: Any, direction: Direction) -> Expression:
    """The annotation for a value."""
    if schema is True:
        return "Any"
    if "$ref" in schema:
        return schema["$ref"].removeprefix(REF)
    if "oneOf" in schema:
        return join(flat(hint(member, direction)) for member in schema["oneOf"])
    if "enum" in schema and direction == "sent":
        return "Literal[", [("", json.dumps(value)) for value in schema["enum"]], "]"
    options: list[str] = []
    for kind in kinds(schema):
        if kind == "array":
            options.append(f"list[{flat(hint(schema['items'], direction))}]")
        elif kind == "object":
            options.append(f"dict[str, {flat(hint(schema.get('additionalProperties', True), direction))}]")
        else:
            options.append(HINTS[kind])
    return join(options)


def join(options: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(kind for option in options for kind in option.split(" | ")))


def shape(schema: Any, names: dict[str, str]) -> Expression:
    """The expression that builds the run-time check of a value; `names` says what to call those of definitions."""
    if schema is True:
        return "ANY"
    if "$ref" in schema:
        return names[schema["$ref"].removeprefix(REF)]
    if "properties" in schema:
        required, optional = dict[str, Expression](), dict[str, Expression]()
        for key, value in schema["properties"].items():
            (required if key in schema["required"] else optional)[key] = shape(value, names)
        return "Object(", [("", mapping(required.items())), ("", mapping(optional.items()))], ")"
    members: list[Schema] = schema.get("oneOf") or [{**schema, "type": kind} for kind in kinds(schema)]
    solid = [member for member in members if member.get("type") != "null"]
    if len(solid) < len(members):
        return "Nullable(", [("", shape({"oneOf": solid} if len(solid) > 1 else solid[0], names))], ")"
    if len(solid) > 1:
        assert {kind for member in solid for kind in kinds(member)} == {"string", "object"}, schema
        return "STRING_OR_OBJECT"
    if schema["type"] == "array":
        return "ListOf(", [("", shape(schema["items"], names))], ")"
    if schema["type"] == "object":
        values = schema.get("additionalProperties", True)
        return "OBJECT" if values is True else ("MapOf(", [("", shape(values, names))], ")")
    return SHAPES[schema["type"]]


class Module:
    """The generated module: each definition after those that it refers to."""

    def __init__(self, pinned: Schema) -> None:
        self._definitions: Schema = pinned["definitions"]
        self._version: str = pinned["codexVersion"]
        self._direction: dict[str, Direction] = {}
        self._types: dict[str, str] = {}
        self._shapes: list[str] = []
        self._shape_names: dict[str, str] = {}
        for entry in pinned["requests"].values():
            self._visit(entry["params"], "sent")
            self._visit(entry["result"], "received")
        for entry in pinned["server_requests"].values():
            self._visit(entry["params"], "received")
            self._visit(entry["result"], "sent")
        for name in pinned["notifications"].values():
            self._visit(name, "received")
        # What arrives as a whole; the shapes of its parts are not looked up by name.
        self._messages = {
            *(entry["result"] for entry in pinned["requests"].values()),
            *(entry["params"] for entry in pinned["server_requests"].values()),
            *pinned["notifications"].values(),
        }

    def sources(self) -> dict[str, str]:
        """The generated modules' text, by file name."""
        exported: Expression = ("(", [("", json.dumps(name)) for name in sorted(self._types)], ")")
        types = [TYPES_HEADER.format(version=self._version) + render(exported, "__all__ = "), *self._types.values()]
        shapes = "\n".join(self._shapes)
        words = {*re.findall(r"\w+", shapes), "Shape"}
        imports = ",\n    ".join(name for name in SHAPE_NAMES if name in words)
        header = SHAPES_HEADER.format(version=self._version, imports=imports)
        table = mapping((name, self._shape_names[name]) for name in sorted(self._messages))
        return {
            "_generated.py": "\n\n\n".join(types) + "\n",
            "_generated_shapes.py": f"{header}{shapes}\n\n{render(table, 'SHAPES: dict[str, Shape] = ')}\n",
        }

    def _visit(self, name: str | None, direction: Direction) -> None:
        if name is None or name in self._direction:
            # What is received is open and what is sent is closed: one name cannot be both. Mend the selection.
            assert name is None or self._direction[name] == direction, f"{name} is both sent and received"
            return
        self._direction[name] = direction
        schema = self._definitions[name]
        for reference in references(schema):
            self._visit(reference, direction)
        members: list[Schema] = schema.get("oneOf", [schema])
        if all(map(is_tagged, members)):
            self._union(name, members)
        elif "properties" in schema or schema == {"type": "object"}:
            self._class(name, schema, direction)
            self._shape(name, shape({"properties": {}, "required": [], **schema}, self._shape_names))
        else:
            known = [word for member in members for word in (*member.get("enum", ()), *member.get("properties", ()))]
            words = ", ".join(known) if direction == "received" else ""
            comment = textwrap.wrap(words, WIDTH, initial_indent="# ", subsequent_indent="# ")
            self._types[name] = "\n".join([*comment, render(hint(schema, direction), f"{name}: TypeAlias = ")])
            self._shape(name, shape(schema, self._shape_names))

    def _union(self, name: str, members: list[Schema]) -> None:
        variants: dict[str, Expression] = {}
        others: Expression = ("Object(", [("", mapping([("type", "STRING")])), ("", "{}")], ")")
        names: list[str] = []
        for member in members:
            tags: list[str] = member["properties"]["type"]["enum"]
            names.append(name if len(members) == 1 else variant_name(name, tags))
            self._class(names[-1], member, self._direction[name])
            if len(tags) == 1:
                variants[tags[0]] = shape(member, self._shape_names)
            else:
                others = shape(member, self._shape_names)
        if len(members) > 1:
            line = f"{name}: TypeAlias = {' | '.join(names)}"
            wrapped = "    " + " | ".join(names)
            if len(wrapped) > WIDTH:
                wrapped = "    " + "\n    | ".join(names)
            self._types[name] = line if len(line) <= WIDTH else f"{name}: TypeAlias = (\n{wrapped}\n)"
        self._shape(name, ("Tagged(", [("", '"type"'), ("", mapping(variants.items())), ("", others)], ")"))

    def _class(self, name: str, schema: Schema, direction: Direction) -> None:
        lines: list[str] = []
        for key, value in schema.get("properties", {}).items():
            # A union's tag is a Literal in either direction: type checkers tell the members apart by it.
            annotation = hint(value, "sent" if key == "type" else direction)
            if key not in schema["required"]:
                annotation = ("NotRequired[", [("", annotation)], "]")
            lines.append(render(annotation, f"{key}: ", "    "))
        self._types[name] = "\n".join([f"class {name}(TypedDict):", *(lines or ["    pass"])])

    def _shape(self, name: str, expression: Expression) -> None:
        if isinstance(expression, str):
            self._shape_names[name] = expression
        elif self._direction[name] == "received":
            self._shape_names[name] = constant(name)
            self._shapes.append(render(expression, f"{constant(name)} = "))
        else:
            self._shape_names[name] = "ANY"  # what this package sends is checked by its types


def variant_name(union: str, tags: list[str]) -> str:
    return "Other" + union if len(tags) > 1 else tags[0][0].upper() + tags[0][1:] + union


# --- the command line --------------------------------------------------------------------------------------------


def find_codex() -> str:
    try:
        bundled = importlib.import_module("codex_cli_bin")  # no types, and not needed except to pin
    except ImportError:
        return shutil.which("codex") or sys.exit("no codex: name one with --codex")
    return str(bundled.bundled_codex_path())


def statements(schema: Any, path: str) -> Iterator[str]:
    """Everything that a reduced schema says, a line each, so that two of them can be compared as sets."""
    if schema is True:
        yield f"{path}: anything"
        return
    if isinstance(schema, str | None):
        yield f"{path}: {schema}"
        return
    yield from (f"{path}.{key} is required" for key in schema.get("required", ()))
    yield from (f"{path}: {json.dumps(value)}" for value in schema.get("enum", ()))
    yield from (f"{path}: {kind}" for kind in (kinds(schema) if "type" in schema else ()) if "enum" not in schema)
    yield from (f"{path}: {name}" for name in [schema.get("$ref", "").removeprefix(REF)] if name)
    for key, value in schema.get("properties", {}).items():
        yield from statements(value, f"{path}.{key}")
    for key in ("items", "additionalProperties"):
        yield from statements(schema[key], f"{path}[]") if key in schema else ()
    for member in schema.get("oneOf", ()):
        tag = tag_of(member) if "properties" in member else None
        yield from statements(member, f"{path}<{tag}>" if tag else path)


def changes(old: Schema, new: Schema) -> Iterator[str]:
    """Name what differs, a line each."""
    for section in ("requests", "server_requests", "notifications"):
        for method in sorted(old[section].keys() | new[section].keys()):
            if old[section].get(method) != new[section].get(method):
                yield f"! {section}: {method}"
    for name in sorted(old["definitions"].keys() | new["definitions"].keys()):
        before, after = (
            set(statements(side["definitions"][name], name)) if name in side["definitions"] else set[str]()
            for side in (old, new)
        )
        yield from (f"- {line}" for line in sorted(before - after))
        yield from (f"+ {line}" for line in sorted(after - before))


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
