"""Read the settings once: environment variables, then a TOML file, then defaults.

The command line and the service call `load_settings` and pass the values on; no other
module reads the environment.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.errors import UsageError
from mien.records import dataclass, field

SHIPPED_CALIBRATION = "shipped"
ENGINES = ("onnxruntime", "openvino")
"""On the CPU. Each has its own form of the graphs, and is also the name of its package."""
GPU_ENGINES = {"cuda": "openvino", "openvino-gpu": "openvino"}
"""On a graphics card: engine -> the engine whose form of the graphs it runs."""
ALL_ENGINES = (*ENGINES, *GPU_ENGINES)
DEFAULT_MODEL = "sface"  # a row of the model table, which needs numpy; --help does without
KEY_KINDS = ("file", "keyring", "passphrase")
LIVENESS = ("off", "passive", "active", "auto")
SERVICE_LIVENESS = ("off", "active")
KEYS = (
    "engine",
    "liveness",
    "liveness_service",
    "models",
    "photos",
    "threads",
    "vault",
    "vault_key",
    "vault_passphrase_file",
    "calibration",
)
"""Each key is `key` in the file and `MIEN_KEY` in the environment."""
PASSPHRASE = "vault_passphrase_file"
POSTGRES = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class Settings:
    """engine: one of `ALL_ENGINES`. threads: per inference call, 1 or more.

    liveness: of frames, one of `LIVENESS`; None checks a camera passively if the models were added.
    liveness_service: "active" lets `mien serve` unlock by a challenge only; one of
    `SERVICE_LIVENESS`.

    models_dir: a folder that is searched for weights. photos_dir: the demo's folder of
    people. vault_path: the SQLite file. vault_url: of a PostgreSQL database instead of the
    file; may contain a password and is never printed. vault_key: where the key of a new
    vault is stored, one of `KEY_KINDS`. key_path: the key file. passphrase_file: contains
    the vault's passphrase, where it cannot be typed. cache_dir: built graphs and
    downloads. data_dir: the vault and added models. state_dir: the rollback guard.
    calibration: "shipped", or the name of one that `mien calibrate` made.
    """

    engine: str
    liveness: str | None
    threads: int
    models_dir: Path | None
    photos_dir: Path | None
    vault_path: Path
    vault_url: str | None = field(repr=False)
    vault_key: str
    key_path: Path
    passphrase_file: Path | None
    cache_dir: Path
    data_dir: Path
    state_dir: Path
    calibration: str = SHIPPED_CALIBRATION
    liveness_service: str = SERVICE_LIVENESS[0]

    @property
    def asks_for_life(self) -> bool:
        """Whether frames must show a living person, and missing liveness models are an error."""
        return self.liveness not in (None, "off")


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    engine: str | None = None,
    calibration: str | None = None,
) -> Settings:
    """Read `config.toml` in the platform's config folder and `MIEN_*` over it.

    environ: `os.environ` if None. engine, calibration: override both if given. Raises
    UsageError for a file that is not TOML, an unknown key, or a value out of range.
    """
    env = os.environ if environ is None else environ
    values = _read_config(env)
    for key in KEYS:
        if env.get(f"MIEN_{key.upper()}"):
            values[key] = env[f"MIEN_{key.upper()}"]
    return Settings(
        engine=_choice("engine", engine or values.get("engine", ENGINES[0]), ALL_ENGINES),
        liveness=_choice("liveness", values["liveness"], LIVENESS)
        if "liveness" in values
        else None,
        threads=_threads(values.get("threads")),
        models_dir=_path(values["models"], env) if "models" in values else None,
        photos_dir=_path(values["photos"], env) if "photos" in values else None,
        vault_path=_vault_path(values.get("vault"), env),
        vault_url=_vault_url(values.get("vault")),
        vault_key=_choice("vault_key", values.get("vault_key", KEY_KINDS[0]), KEY_KINDS),
        key_path=_config_dir(env) / "vault.key",
        passphrase_file=_path(values[PASSPHRASE], env) if PASSPHRASE in values else None,
        cache_dir=_cache_dir(env),
        data_dir=_data_dir(env),
        state_dir=_platform_dir(env, "XDG_STATE_HOME", ".local/state", "state"),
        calibration=calibration or values.get("calibration", SHIPPED_CALIBRATION),
        liveness_service=_choice(
            "liveness_service",
            values.get("liveness_service", SERVICE_LIVENESS[0]),
            SERVICE_LIVENESS,
        ),
    )


def usable_cores() -> int:
    """Cores that this process may run on (its CPU affinity), at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads(given: str | None) -> int:
    if given is None:
        # one small face is no faster with more than two
        return min(2, usable_cores())
    if not re.fullmatch("[1-9]|[1-5][0-9]|6[0-4]", given):
        raise UsageError(
            f"threads must be a whole number from 1 to 64, not {given[:20]!r}; "
            "change MIEN_THREADS or the config file"
        )
    return int(given)


def _choice(key: str, given: str, known: tuple[str, ...]) -> str:
    if given not in known:
        raise UsageError(f"unknown {key} {given!r}; choose one of {', '.join(known)}")
    return given


def _vault_path(given: str | None, env: Mapping[str, str]) -> Path:
    if given is None or given.startswith(POSTGRES):
        return _data_dir(env) / "vault.sqlite"
    path = given.removeprefix("sqlite:///")
    if "://" in path or not path:
        kind = given.partition("://")[0]  # the rest may hold a password
        raise UsageError(
            f"MIEN_VAULT has the unknown scheme {kind[:20]!r}; set it to"
            " sqlite:////ABSOLUTE/PATH or postgresql://..."
        )
    whole = _path(path, env)
    if not whole.is_absolute():
        # a relative path would mean another vault in each folder that mien is started in; it is
        # not printed, because it may be a mistyped database address with a password
        raise UsageError(
            "MIEN_VAULT is a relative path; write the absolute path, with four slashes after"
            " sqlite:, such as sqlite:////srv/vault.sqlite"
        )
    return whole


def _vault_url(given: str | None) -> str | None:
    return given if given is not None and given.startswith(POSTGRES) else None


def _path(given: str, env: Mapping[str, str]) -> Path:
    """The path, with a leading `~/` replaced by the home of this environment."""
    if given == "~" or given.startswith("~/"):
        return _home(env) / given[2:]
    if given.startswith("~"):
        raise UsageError(f"{given!r} names another user's home; write the absolute path")
    return Path(given)


def _home(env: Mapping[str, str]) -> Path:
    home = env.get("HOME") or (env.get("USERPROFILE") if os.name == "nt" else None)
    if not home:
        raise UsageError("HOME is not set, so mien has no folder for its files; set HOME")
    if not os.path.isabs(home):
        raise UsageError(f"HOME is {home!r}, which is no whole path; set it to one, from / on")
    return Path(home)


def _read_config(env: Mapping[str, str]) -> dict[str, str]:
    named = env.get("MIEN_CONFIG")
    if named and not os.path.exists(named):
        raise UsageError(f"MIEN_CONFIG names {named!r}, which does not exist; correct or unset it")
    return _read_toml(Path(named) if named else _config_dir(env) / "config.toml")


def _read_toml(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read {str(path)!r}: {error}; correct or remove the file"
        ) from error
    table = parse_toml(text, path)
    for key, value in table.items():
        if key not in KEYS:
            raise UsageError(f"{str(path)!r} has unknown key {key!r}; known: {', '.join(KEYS)}")
        if key != "threads" and (not isinstance(value, str) or not value):
            raise UsageError(f"{key!r} in {str(path)!r} must be text in quotes; correct the file")
    return {key: str(value) for key, value in table.items()}


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """The table of a TOML text. UsageError, with the path of its file, if it is not TOML."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{str(path)!r} is not TOML: {error}; correct or remove the file"
        ) from error


# The XDG base directory rules take three lines; importing platformdirs would cost 17 ms.
def _config_dir(env: Mapping[str, str]) -> Path:
    return _platform_dir(env, "XDG_CONFIG_HOME", ".config", "config")


def _data_dir(env: Mapping[str, str]) -> Path:
    return _platform_dir(env, "XDG_DATA_HOME", ".local/share", "data")


def _cache_dir(env: Mapping[str, str]) -> Path:
    return _platform_dir(env, "XDG_CACHE_HOME", ".cache", "cache")


def _platform_dir(env: Mapping[str, str], variable: str, under_home: str, kind: str) -> Path:
    if sys.platform.startswith("linux"):
        base = env.get(variable, "")
        # the specification says to ignore a relative path here
        return (Path(base) if os.path.isabs(base) else _home(env) / under_home) / "mien"
    import platformdirs

    return Path(getattr(platformdirs, f"user_{kind}_dir")("mien", appauthor=False))
