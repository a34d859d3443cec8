"""The configuration of login: written and read back, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.errors import UsageError
from mien.login.config import LoginConfig, read_config

CHOSEN = LoginConfig(
    elevate=True, camera="/dev/v4l/by-path/x", camera_id="046d:0825", infrared=True
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "login.toml"


def test_it_is_read_as_it_was_written(path: Path) -> None:
    path.write_text(CHOSEN.to_toml())
    assert read_config(path) == CHOSEN


def test_without_the_file_only_an_open_session_is_unlocked(path: Path) -> None:
    config = read_config(path)
    assert (config.unlock, config.login, config.elevate) == (True, False, False)


@pytest.mark.parametrize(
    "text",
    ["elevate = 1\n", 'sudo = "yes"\n', "camera = true\n", "elevate\n", 'camera = "\n', "\xff"],
)
def test_another_content_is_refused(path: Path, text: str) -> None:
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=r"login\.toml"):
        read_config(path)


def test_a_file_that_others_can_write_is_refused(path: Path) -> None:
    path.write_text("elevate = true\n")
    path.chmod(0o666)
    with pytest.raises(UsageError, match="others than root"):
        read_config(path)


def test_a_camera_that_would_end_its_line_is_not_written() -> None:
    with pytest.raises(UsageError, match="cannot stand"):
        LoginConfig(camera='x"\nelevate = true').to_toml()
