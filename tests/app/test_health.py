"""The checks of `mien models` and `mien doctor`, with altered tables and folders."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from mien.app import health
from mien.app.health import Check, _folder, check_all, model_states
from mien.errors import ExitCode
from mien.models import MODEL_ROWS, PNET
from mien.settings import Settings
from mien.vault.open import make_vault


def found(checks: list[Check], what: str) -> Check:
    return next(check for check in checks if check.what == what)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model table, with P-Net from a package that nobody has."""
    row = replace(PNET, package="no_such_package_of_mien")
    monkeypatch.setattr(health, "MODEL_ROWS", {**MODEL_ROWS, row.name: row})


def test_all_models_are_found_with_the_right_hash(settings: Settings) -> None:
    states = model_states(settings)
    assert [state.row for state in states] == list(MODEL_ROWS.values())
    for state in states:
        assert state.state == "ok"
        assert Path(state.where).name == state.row.file_name


def test_a_missing_model_says_what_to_install(settings: Settings, nowhere: None) -> None:
    first = model_states(settings)[0]
    assert first.state == "missing"
    assert re.fullmatch("not found; run: .*pip install no_such_package_of_mien", first.where)
    check = found(check_all(settings), "model mtcnn-pnet")
    assert (check.state, check.exit_code) == ("broken", ExitCode.MODEL_UNAVAILABLE)
    assert check.found == first.where


def test_an_altered_model_says_where_it_is(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "onet.lz4").write_bytes(b"other weights")
    altered = replace(settings, models_dir=tmp_path)
    bad = [state.row.name for state in model_states(altered) if state.state != "ok"]
    assert bad == ["mtcnn-onet"]
    check = found(check_all(altered), "model mtcnn-onet")
    assert (check.state, check.exit_code) == ("broken", ExitCode.MODEL_UNAVAILABLE)
    assert repr(str(tmp_path / "onet.lz4")) in check.found


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file that never reads")
def test_a_model_that_cannot_be_read_is_not_called_absent(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "pnet.lz4").symlink_to("/proc/self/mem")
    first = model_states(replace(settings, models_dir=tmp_path))[0]
    assert first.state == "missing"
    assert first.where.startswith(f"cannot be read: {str(tmp_path / 'pnet.lz4')!r}")


def test_a_healthy_machine_passes_every_check(settings: Settings) -> None:
    checks = check_all(settings)
    assert [check for check in checks if check.state == "broken"] == []
    named = [check.what for check in checks]
    assert len(named) == len(set(named))
    assert {"python", "numpy", "engine", "vault", "built graphs", "model sface"} <= set(named)
    assert found(checks, "engine").found.startswith("onnxruntime, ")


def test_missing_packages_are_errors_and_missing_extras_are_advice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PACKAGES", ("no-such-package-of-mien",))
    monkeypatch.setattr(health, "EXTRAS", {"no-such-extra-of-mien": "demo"})
    checks = check_all(settings)
    base = found(checks, "no-such-package-of-mien")
    assert (base.state, base.exit_code) == ("broken", ExitCode.MODEL_UNAVAILABLE)
    assert "pip install no-such-package-of-mien" in base.found
    extra = found(checks, "no-such-extra-of-mien")
    assert extra.state == "advice"
    assert re.search(r"pip install '.*\[demo\]'", extra.found)


@pytest.mark.parametrize(
    ("installed", "state", "said"),
    [
        ({"onnxruntime": "1.32.0"}, "ok", "onnxruntime 1.32.0"),
        ({"onnxruntime-gpu": "1.31.1"}, "ok", "onnxruntime-gpu 1.31.1"),
        (
            {"onnxruntime": "1.32.0", "onnxruntime-gpu": "1.31.1"},
            "advice",
            "onnxruntime 1.32.0 and onnxruntime-gpu 1.31.1: they overwrite each other; uninstall"
            " both, then install one, see docs/gpu.md",
        ),
        ({}, "broken", "missing; run: pip install onnxruntime"),
    ],
)
def test_the_doctor_says_which_onnxruntime_is_there(
    installed: dict[str, str],
    state: str,
    said: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def version(name: str) -> str:
        if name in health.RUNTIMES and name not in installed:
            raise PackageNotFoundError(name)
        return installed.get(name, "1")

    monkeypatch.setattr(health, "version", version)
    monkeypatch.setattr(health, "install_command", lambda package: f"pip install {package}")
    check = found(check_all(settings), "onnxruntime")
    assert (check.state, check.found) == (state, said)


def test_an_empty_cache_is_reported_and_then_filled(settings: Settings, tmp_path: Path) -> None:
    fresh = replace(settings, cache_dir=tmp_path / "cache")
    before = found(check_all(fresh), "built graphs")
    assert before.state == "advice"
    assert before.found.startswith(f"0 of {len(MODEL_ROWS)} in ")
    assert found(check_all(fresh), "built graphs").state == "ok"


def test_graphs_that_cannot_be_kept_optimised_are_reported(
    settings: Settings, tmp_path: Path
) -> None:
    assert found(check_all(settings), "optimised graphs").state == "ok"
    blocked = tmp_path / "data"
    blocked.write_text("in the way")
    check = found(check_all(replace(settings, data_dir=blocked)), "optimised graphs")
    assert check.state == "advice"
    assert check.found.startswith(f"0 of {len(MODEL_ROWS)}, so every start takes longer; ")


def test_the_vault_is_counted_and_never_created(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "vault.sqlite"
    here = replace(
        settings, vault_path=path, key_path=tmp_path / "vault.key", state_dir=tmp_path / "state"
    )
    assert "none yet" in found(check_all(here), "vault").found
    assert not path.parent.exists()
    make_vault(here, surface="library")
    said = found(check_all(here), "vault").found
    assert said.startswith("0 enrolled in ")
    assert f"sealed; key in file {here.key_path}" in said


def test_a_damaged_vault_is_broken_with_its_own_exit_code(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "vault.sqlite"
    path.write_bytes(b"no database at all" * 99)
    path.chmod(0o600)
    check = found(check_all(replace(settings, vault_path=path)), "vault")
    assert (check.state, check.exit_code) == ("broken", ExitCode.VAULT_DAMAGED)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file, and no folder")
    check = _folder("folder of the vault", tmp_path / "home" / ".local" / "share" / "mien")
    assert (check.state, check.exit_code) == ("broken", 2)
    assert f"change the mode or owner of '{tmp_path / 'home'}'" in check.found


def test_a_folder_that_anybody_may_write_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    check = _folder("folder of the vault", tmp_path)
    assert check.state == "advice"
    assert "chmod go-w" in check.found


def test_a_folder_that_can_be_made_is_ok_and_is_not_made(tmp_path: Path) -> None:
    assert _folder("folder of the vault", tmp_path / "a" / "b").state == "ok"
    assert not (tmp_path / "a").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away: run as root")
def test_a_folder_of_another_user_is_named(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, -1)
    check = _folder("folder of the vault", tmp_path / "mien")
    assert check.state == "advice"
    assert check.found.endswith("belongs to another user; run mien as that user, or set HOME")
