"""`python -m codex_oauth`, the same as `codex-oauth`."""

from codex_oauth.cli import main

if __name__ == "__main__":
    main()
