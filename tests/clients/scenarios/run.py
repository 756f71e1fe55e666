"""`python run.py MODULE…`: does what its stdin says, with nothing but the modules beside it and a client's library.

Each line is `["name of a function", {"argument": value}]`; the answer is a line, `{"result": …}` or `{"raised": text}`.
"""

from __future__ import annotations

import json
import sys
import traceback
from importlib import import_module

__all__ = ("main",)


def main() -> None:
    """Answer until the end of stdin."""
    # Some libraries print.
    answers, sys.stdout = sys.stdout, sys.stderr
    modules = [import_module(name) for name in sys.argv[1:]]
    for line in sys.stdin:
        name, given = json.loads(line)
        function = next(getattr(module, name) for module in modules if hasattr(module, name))
        try:
            answer = {"result": function(**given)}
        except Exception:  # noqa: BLE001 - the test says what it thinks of it
            answer = {"raised": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
