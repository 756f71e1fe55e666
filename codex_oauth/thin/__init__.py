"""What a hook's process does before anything heavy is imported: ask the warm service, or start codex right away.

Nothing here imports more than the interpreter has loaded by itself, a few modules in C, and what lies beside it. An
import of `json` or `typing` alone takes as long as a question to the service.
"""

__all__ = ()
