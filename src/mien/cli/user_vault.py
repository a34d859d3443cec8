"""Open the vault of the user who runs a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mien.settings import Settings

if TYPE_CHECKING:
    from mien.vault.vault import Vault

VAULT_PROMPT = "passphrase of the vault"


def open_user_vault(settings: Settings, *, create: bool, surface: str = "command") -> Vault:
    """The vault that the settings name; asks for its passphrase where it has one."""
    from mien.vault.crypto.passphrase import passphrase_prompt
    from mien.vault.open import open_vault

    ask = passphrase_prompt(settings.passphrase_file, VAULT_PROMPT)
    return open_vault(settings, create=create, surface=surface, ask_passphrase=ask)
