"""The warm subjects: a process each, which is started once and does one case after the other when a line says so.

All answer the same lines: `turn`, `series`, `many`, `stream`, `memory`. Each measures its own time, from the call to
the parsed answer, and checks the answer.
"""
