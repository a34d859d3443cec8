"""Open the vault of the user who runs a command."""

from __future__ import annotations

from mien.settings import Settings
from mien.vault.crypto.passphrase import passphrase_prompt
from mien.vault.open import open_vault
from mien.vault.vault import Vault

VAULT_PROMPT = "passphrase of the vault"


def open_user_vault(settings: Settings, *, create: bool, surface: str = "command") -> Vault:
    """The vault that the settings name; asks for its passphrase where it has one."""
    ask = passphrase_prompt(settings.passphrase_file, VAULT_PROMPT)
    return open_vault(settings, create=create, surface=surface, ask_passphrase=ask)
