"""The CODEX_HOME that calls run in."""

from codex_oauth.home.foreign import foreign_home
from codex_oauth.home.managed import Home, prepare_home, ready_home, work_dir
from codex_oauth.home.sign_in import holds_plan_sign_in, sign_in_command

__all__ = (
    "Home",
    "foreign_home",
    "holds_plan_sign_in",
    "prepare_home",
    "ready_home",
    "sign_in_command",
    "work_dir",
)
