"""The account: signing in and out, keeping a token fresh, who may pay."""

from codex_oauth.account.external import ExternalTokens
from codex_oauth.account.login import Login, login_with_api_key, logout, open_login
from codex_oauth.account.profiles import Profile, dedicate, profiles, sign_in_command, wallet_of
from codex_oauth.account.record import refusal_of
from codex_oauth.account.refresh import fresh_sign_in, noted
from codex_oauth.account.sign_in import SignIn, read_sign_in
from codex_oauth.account.stores import Copy, Store, copies, other_stores

__all__ = (
    "Copy",
    "ExternalTokens",
    "Login",
    "Profile",
    "SignIn",
    "Store",
    "copies",
    "dedicate",
    "fresh_sign_in",
    "login_with_api_key",
    "logout",
    "noted",
    "open_login",
    "other_stores",
    "profiles",
    "read_sign_in",
    "refusal_of",
    "sign_in_command",
    "wallet_of",
)
