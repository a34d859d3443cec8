"""Where each setting comes from, and what is refused."""

from __future__ import annotations

import builtins
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from mien.errors import ExitCode, UsageError
from mien.settings import KEYS, Settings, load_settings, usable_cores

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the folders are those of Linux; run it there"
)

Load = Callable[..., Settings]
VALUES = {"engine": "openvino", "liveness": "off", "threads": "5", "vault_key": "keyring"}
VALUES |= {"liveness_service": "active"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def load(home: Path) -> Load:
    """Settings from a config file's text and environment variables, with a home of its own."""

    def load_these(toml: str | None = None, **variables: str) -> Settings:
        if toml is not None:
            config = home / ".config" / "mien" / "config.toml"
            config.parent.mkdir(parents=True, exist_ok=True)
            config.write_text(toml, encoding="utf-8")
        return load_settings({"HOME": str(home)} | variables)

    return load_these


class OnlyThisMapping(Mapping[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values_by_name = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


def test_without_settings_the_defaults_are_used(load: Load, home: Path) -> None:
    assert load() == Settings(
        engine="onnxruntime",
        threads=min(2, usable_cores()),
        models_dir=None,
        photos_dir=None,
        vault_path=home / ".local/share/mien/vault.sqlite",
        vault_url=None,
        liveness=None,
        vault_key="file",
        key_path=home / ".config/mien/vault.key",
        passphrase_file=None,
        cache_dir=home / ".cache/mien",
        data_dir=home / ".local/share/mien",
        state_dir=home / ".local/state/mien",
    )


def test_loading_creates_no_file(load: Load, home: Path) -> None:
    load()
    assert not home.exists()


def test_the_file_overrides_the_defaults(load: Load) -> None:
    settings = load(
        """
        engine = "openvino"
        threads = 4
        models = "/opt/models"
        photos = "/srv/photos"
        vault = "/srv/vault.sqlite"
        """
    )
    assert settings.engine == "openvino"
    assert settings.threads == 4
    assert settings.models_dir == Path("/opt/models")
    assert settings.photos_dir == Path("/srv/photos")
    assert settings.vault_path == Path("/srv/vault.sqlite")


def test_the_environment_overrides_the_file(load: Load) -> None:
    settings = load('threads = 4\nvault = "/file"', MIEN_THREADS="8", MIEN_MODELS="/environment")
    assert settings.threads == 8
    assert settings.models_dir == Path("/environment")
    assert settings.vault_path == Path("/file")


def test_an_empty_variable_is_not_set(load: Load) -> None:
    settings = load("threads = 4", MIEN_THREADS="", MIEN_VAULT="", MIEN_CONFIG="")
    assert settings.threads == 4


def test_an_empty_file_sets_nothing(load: Load) -> None:
    assert load("# nothing\n") == load()


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_a_variable_and_a_key_of_the_file(load: Load, key: str) -> None:
    from_file = load(f'{key} = "{(value := VALUES.get(key, "/somewhere"))}"')
    from_environment = load("", **{f"MIEN_{key.upper()}": value})
    assert from_file == from_environment != load("")


def test_another_config_file_may_be_given(load: Load, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("threads = 7", encoding="utf-8")
    assert load("threads = 4", MIEN_CONFIG=str(other)).threads == 7


def test_the_folders_of_the_xdg_variables_are_used(load: Load, tmp_path: Path) -> None:
    config = tmp_path / "config" / "mien" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("threads = 9", encoding="utf-8")
    settings = load(
        XDG_CONFIG_HOME=str(tmp_path / "config"),
        XDG_DATA_HOME=str(tmp_path / "data"),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    assert settings.threads == 9
    assert settings.vault_path == tmp_path / "data" / "mien" / "vault.sqlite"
    assert settings.cache_dir == tmp_path / "cache" / "mien"


@pytest.mark.parametrize("relative", ["data", "./data", "../data", "~/data"])
def test_a_relative_xdg_folder_is_ignored(load: Load, relative: str) -> None:
    assert load(XDG_DATA_HOME=relative, XDG_CACHE_HOME=relative, XDG_CONFIG_HOME=relative) == load()


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/srv/vault.sqlite", "/srv/vault.sqlite"),
        ("sqlite:////srv/vault.sqlite", "/srv/vault.sqlite"),
    ],
)
def test_the_vault_is_a_path_or_an_address_of_sqlite(load: Load, given: str, path: str) -> None:
    assert load(MIEN_VAULT=given).vault_path == Path(path)


@pytest.mark.parametrize(
    "given", ["sqlite:///tmp/x.sqlite", "x.sqlite", "./x.sqlite", "postgresql:ana:hush@host/db"]
)
def test_a_relative_vault_path_is_refused(load: Load, given: str) -> None:
    with pytest.raises(
        UsageError, match="four slashes after sqlite:, such as sqlite:////srv"
    ) as refusal:
        load(MIEN_VAULT=given)
    with pytest.raises(UsageError, match="four slashes"):
        load(f'vault = "{given}"')
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("given", ["mysql://ana:hush@host/db", "sqlite://vault", "http://hush"])
def test_an_address_of_anything_else_is_refused_and_no_password_shown(
    load: Load, given: str
) -> None:
    with pytest.raises(UsageError, match="sqlite:////ABSOLUTE/PATH or postgresql") as refusal:
        load(MIEN_VAULT=given)
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_vault_may_be_a_database_whose_password_is_never_shown(load: Load, scheme: str) -> None:
    url = f"{scheme}://ana:hush@host/db"
    settings = load(MIEN_VAULT=url)
    assert settings.vault_url == url
    assert "hush" not in repr(settings)


def test_a_passphrase_file_is_a_path(load: Load) -> None:
    assert load(MIEN_VAULT_PASSPHRASE_FILE="/run/p").passphrase_file == Path("/run/p")


@pytest.mark.parametrize("given", ["0", "65", "-1", "2.0", "two", " 2", "1e1", "True"])
def test_threads_outside_1_to_64_are_refused(load: Load, given: str) -> None:
    with pytest.raises(UsageError, match="from 1 to 64"):
        load(MIEN_THREADS=given)


@pytest.mark.parametrize("toml", ["threads = true", "threads = 2.0", "threads = [2]", "threads=0"])
def test_threads_of_another_type_are_refused_in_the_file(load: Load, toml: str) -> None:
    with pytest.raises(UsageError, match="from 1 to 64"):
        load(toml)


@pytest.mark.parametrize("given", ["tensorrt", "ONNXRUNTIME", "onnx\nruntime"])
def test_an_unknown_engine_is_refused_with_the_known_ones(load: Load, given: str) -> None:
    with pytest.raises(UsageError, match="onnxruntime, openvino") as refusal:
        load(MIEN_ENGINE=given)
    assert str(refusal.value).isprintable()


def test_a_wrong_value_in_the_file_does_not_matter_where_a_variable_is_set(load: Load) -> None:
    assert load('engine = "tensorrt"', MIEN_ENGINE="openvino").engine == "openvino"


def test_an_unknown_key_in_the_file_is_refused_with_the_known_ones(load: Load) -> None:
    with pytest.raises(
        UsageError, match=r"unknown key 'thread'; known: engine, liveness"
    ) as refusal:
        load("thread = 2")
    assert refusal.value.exit_code is ExitCode.USAGE


def test_an_unknown_variable_is_ignored(load: Load) -> None:
    assert load(MIEN_UNKNOWN="1") == load()


@pytest.mark.parametrize("toml", ["threads", "threads = ", "= 2", "threads = 1\nthreads = 2"])
def test_a_file_that_is_not_toml_is_refused(load: Load, toml: str) -> None:
    with pytest.raises(UsageError, match="is not TOML") as refusal:
        load(toml)
    assert str(refusal.value).isprintable()


def test_a_file_that_is_not_text_is_refused(load: Load, tmp_path: Path) -> None:
    config = tmp_path / "line\nbreak.toml"
    config.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot read") as refusal:
        load(MIEN_CONFIG=str(config))
    assert str(refusal.value).isprintable()


def test_a_folder_in_place_of_the_file_is_refused(load: Load, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        load(MIEN_CONFIG=str(tmp_path))


def test_settings_cannot_be_changed(load: Load) -> None:
    settings = load()
    with pytest.raises(AttributeError):
        settings.threads = 3  # type: ignore[misc]


def test_with_no_mapping_the_process_environment_is_read(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in os.environ:
        if name.startswith(("MIEN_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("MIEN_THREADS", "11")
    assert load_settings().threads == 11


def test_with_a_mapping_the_process_environment_is_not_read(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load()
    for key in KEYS:
        monkeypatch.setenv(f"MIEN_{key.upper()}", "nonsense://")
    for name in ("MIEN_CONFIG", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    assert load() == before


def test_only_documented_variables_are_asked_for(home: Path) -> None:
    environment = OnlyThisMapping({"HOME": str(home)})
    load_settings(environment)
    assert environment.asked == {"HOME", "MIEN_CONFIG"} | {
        f"{prefix}_{name}"
        for prefix, names in (
            ("MIEN", [key.upper() for key in KEYS]),
            ("XDG", ["CONFIG_HOME", "DATA_HOME", "CACHE_HOME", "STATE_HOME"]),
        )
        for name in names
    }


def test_the_config_file_is_the_only_file_that_is_read(
    load: Load, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load("threads = 3")  # imports what it needs before the doors are watched
    opened = []

    def watched(file: object, *arguments: object, **options: object) -> object:
        opened.append(str(file))
        return really_open(file, *arguments, **options)  # type: ignore[call-overload]

    really_open = builtins.open
    monkeypatch.setattr(builtins, "open", watched)
    monkeypatch.setattr(io, "open", watched)
    load_settings({"HOME": str(home)})
    assert opened == [str(home / ".config" / "mien" / "config.toml")]


def test_there_is_at_least_one_core() -> None:
    assert usable_cores() >= 1


def test_a_tilde_is_the_home_folder_of_the_mapping(load: Load, home: Path) -> None:
    assert load(MIEN_VAULT="~/vault.sqlite").vault_path == home / "vault.sqlite"


def test_the_home_folder_of_an_unknown_user_is_refused(load: Load) -> None:
    with pytest.raises(UsageError):
        load(MIEN_VAULT="~no-such-user/vault.sqlite")


@pytest.mark.parametrize(
    "toml", ['photos = ["a", "b"]', "vault = 3", "models = true", 'vault = ""']
)
def test_a_path_of_another_type_is_refused_in_the_file(load: Load, toml: str) -> None:
    with pytest.raises(UsageError):
        load(toml)


def test_an_address_is_printed_on_one_line(load: Load) -> None:
    with pytest.raises(UsageError) as refusal:
        load(MIEN_VAULT="post\ngres://host")
    assert str(refusal.value).isprintable()


def test_a_config_file_given_by_the_user_must_exist(load: Load, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load(MIEN_CONFIG=str(tmp_path / "absent.toml"))


def test_an_address_without_a_path_is_refused(load: Load) -> None:
    with pytest.raises(UsageError):
        load(MIEN_VAULT="sqlite:///")


def test_a_number_of_thousands_of_digits_is_refused(load: Load) -> None:
    with pytest.raises(UsageError):
        load(MIEN_THREADS="9" * 5000)
