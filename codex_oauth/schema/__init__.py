"""Output types: from a caller's type to a strict JSON Schema, and from the model's reply to a checked value.

    output type -> JSON Schema -> read (dialect) -> mapped (mapping: wire schema + plan)  ……  sent
    value <- built (typed) <- checked (checks) <- undone (plan) <- decoded (decode)       ……  reply

Strict mode wants every property required and every object closed, and knows few keywords. What differs is mapped:

- an optional property may be null, which stands for its absence; where the schema allows null anyway, null stays null,
  so there absent and null are one;
- an open object becomes a list of entries with `key` and `value`; beside listed properties, it is one more property;
- a part that may be anything becomes a string that holds JSON;
- a tuple becomes an object with the properties `item_0`, `item_1`, …;
- a root that is not an object becomes the property `value` of one;
- `oneOf` becomes `anyOf`, `allOf` is merged, and alternatives that could not be told apart are each put into an object;
- other keywords are told in words in the description, and checked here.

An object that lists properties and does not say `additionalProperties` is closed. A schema that is strict already goes
out as it is, except for definitions that nothing refers to.
"""

from codex_oauth.schema.spec import OutputSpec, output_spec

__all__ = ("OutputSpec", "output_spec")
