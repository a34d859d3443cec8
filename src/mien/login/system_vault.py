"""The system's own settings and vault, in the folder of the daemon: not those of any user."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mien.login.state import STATE_DIR
from mien.settings import Settings, load_settings
from mien.vault.open import open_vault
from mien.vault.vault import Vault


def system_settings(state: Path = STATE_DIR) -> Settings:
    """The settings of the login daemon. No variable of the environment can change them."""
    home = str(state)
    return load_settings(
        {
            "HOME": home,
            "XDG_CACHE_HOME": f"{home}/cache",
            "XDG_CONFIG_HOME": f"{home}/config",
            "XDG_DATA_HOME": f"{home}/data",
            "XDG_STATE_HOME": f"{home}/state",
            "MIEN_LIVENESS": "passive",
            "MIEN_VAULT": f"{home}/vault.sqlite",
        }
    )


def open_system_vault(settings: Settings, *, create: bool) -> Vault:
    """The vault of the system; its key is a systemd credential or a file in the state folder."""
    return open_vault(settings, create=create, surface="pam", environ=_key_variables(os.environ))


def _key_variables(environ: Mapping[str, str]) -> dict[str, str]:
    name = "CREDENTIALS_DIRECTORY"
    return {name: environ[name]} if name in environ else {}
