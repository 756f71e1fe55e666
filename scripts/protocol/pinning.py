"""Pinning: the schema that a codex binary gives, reduced to what the selection names, and what a newer one changes."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .reduced import REF, STRING, Schema, is_tagged, kinds, tag_of


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
