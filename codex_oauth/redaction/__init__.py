"""Secrets taken out of what leaves the machine or is kept: requests to a model, metrics, logs, error texts.

Written here, not taken from a library, because what is redacted is a command that may be run. The best-kept detector,
detect-secrets 1.5, looks through the lines of files, and tells values but not where they stand. Of 21 secrets in
ordinary commands it finds 4, none in an option, a variable or a header; with its entropy checks it finds all, and also
some in 20 of 22 harmless commands. Importing it takes 80 ms and brings requests and PyYAML, where this takes 2 ms. And
it does not say whether shell syntax would go with what is replaced.

How a secret is found: by its shape (`shapes`), by the name in front of it (`assignments`, `headers`, `names`), or by
where it stands (`places`); `values` says how far it goes, and what else may stand there. `texts` and `json_values` put
this together, and say whether something was hidden that could run; `cleaning` does the same for error texts.

What is not found: a secret with neither a shape nor a name (a password in a sentence), one that is encoded, one that is
spread over several strings, and what is longer than its quotes can be followed (8,192 characters).
"""

from __future__ import annotations

from codex_oauth.redaction.cleaning import cleaned
from codex_oauth.redaction.json_values import redact_value
from codex_oauth.redaction.texts import Redacted, redact

__all__ = ("Redacted", "cleaned", "redact", "redact_value")
