"""What the administrator allows: `/etc/mien/login.toml`, which only root can write."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mien.errors import UsageError, quote, quote_path
from mien.files import read_regular
from mien.settings import parse_toml
from mien.system.ownership import is_of_another, others_may_write

CONFIG_PATH = Path("/etc/mien/login.toml")
MAX_CONFIG_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class LoginConfig:
    """unlock, login, elevate: whether a face may open services of that class.

    camera: a stable path of `mien camera list`; "" takes the best camera. camera_id: its USB id,
    such as "046d:0825", pinned when it was chosen; "" for none. infrared: whether that camera is
    an infrared one, whose templates are apart from those of a colour camera.
    """

    unlock: bool = True
    login: bool = False
    elevate: bool = False
    camera: str = ""
    camera_id: str = ""
    infrared: bool = False

    def to_toml(self) -> str:
        """The text of the file."""
        lines = []
        for key in self.__slots__:
            value = getattr(self, key)
            is_word = isinstance(value, str)
            lines.append(f"{key} = {_quoted(value) if is_word else str(value).lower()}\n")
        return "".join(lines)


def read_config(path: Path = CONFIG_PATH) -> LoginConfig:
    """Read the file; the defaults where there is none.

    Raises UsageError for a file that others than root could write, or that has another content.
    """
    try:
        text = read_regular(path, MAX_CONFIG_BYTES, expect=_check_owner).decode()
    except FileNotFoundError:
        return LoginConfig()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {quote_path(path)} ({error}); check the file") from error
    return _from_values(parse_toml(text, path), path)


def _check_owner(status: os.stat_result) -> None:
    if is_of_another(status) or others_may_write(status):
        raise OSError("others than root can write it; run chown root and chmod 644 on it")


def _from_values(values: Mapping[str, object], path: Path) -> LoginConfig:
    defaults = LoginConfig()
    for key, value in values.items():
        if key not in LoginConfig.__slots__:
            known = ", ".join(LoginConfig.__slots__)
            raise UsageError(f"{quote_path(path)} has the unknown key {quote(key)}; known: {known}")
        kind = type(getattr(defaults, key))
        if type(value) is not kind:
            wanted = "true or false" if kind is bool else "a text in quotes"
            raise UsageError(f"{quote_path(path)}: {key} must be {wanted}; correct it")
    return LoginConfig(**values)  # type: ignore[arg-type]


def _quoted(text: str) -> str:
    if any(letter in '"\\' or not letter.isprintable() for letter in text):
        raise UsageError(f"{quote(text)} cannot stand in the configuration; choose another camera")
    return f'"{text}"'
