"""PyTorch files of the old format are read as PyTorch reads them, and run no code."""

from __future__ import annotations

import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.errors import ModelAltered
from mien.models.torch_file import MAGIC, _make_tensor, _Storage, read_torch_file


def torch_file(tensors: dict[str, Any]) -> bytes:
    torch = pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")
    file = BytesIO()
    torch.save(tensors, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def test_the_tensors_are_those_that_torch_saved() -> None:
    torch = pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")
    weight = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    content = torch_file({"weight": weight, "row": weight[1], "count": torch.tensor(7)})
    found = read_torch_file(content)
    assert sorted(found) == ["count", "row", "weight"]
    np.testing.assert_array_equal(found["weight"], np.arange(24).reshape(2, 3, 4))
    np.testing.assert_array_equal(found["row"], np.arange(12, 24).reshape(3, 4))
    assert found["count"].shape == ()
    assert found["count"] == 7


def test_the_published_files_are_read_as_torch_reads_them(liveness_files: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")
    for path in sorted(liveness_files.glob("*MiniFASNet*.pth")):
        expected = torch.load(path, map_location="cpu", weights_only=True)
        found = read_torch_file(path.read_bytes())
        assert list(found) == list(expected)
        assert all(np.array_equal(found[name], t.numpy()) for name, t in expected.items())


class Evil:
    """Its pickle calls a function when it is read."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def test_a_file_that_names_another_function_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    head = pickle.dumps(MAGIC) + pickle.dumps(1001) + pickle.dumps({"little_endian": True})
    for content in (pickle.dumps(Evil(marker)), head + pickle.dumps({"a": Evil(marker)})):
        with pytest.raises(ModelAltered, match="not a PyTorch file of the old format"):
            read_torch_file(content)
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", pickle.dumps(1), b"\x80\x02\x8a"])
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ModelAltered, match="download it again"):
        read_torch_file(content)


def test_a_file_that_is_cut_short_is_refused_wherever_the_cut_is(liveness_files: Path) -> None:
    content = next(liveness_files.glob("2.7*.pth")).read_bytes()
    for length in (10, 100, 5_000, 100_000, len(content) - 1):
        with pytest.raises(ModelAltered, match="download it again"):
            read_torch_file(content[:length])


def test_a_tensor_that_is_not_contiguous_is_refused() -> None:
    torch = pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")
    with pytest.raises(ModelAltered, match="not contiguous"):
        read_torch_file(torch_file({"weight": torch.zeros(3, 4).T}))


@pytest.mark.parametrize(("offset", "count"), [(2, 3), (0, 5), (-1, 2)])
def test_a_tensor_that_reaches_past_its_storage_is_refused(offset: int, count: int) -> None:
    storage = _Storage("0", np.dtype("<f4"), 4)
    with pytest.raises(pickle.UnpicklingError, match="reaches past its storage"):
        _make_tensor(storage, offset, (count,), (1,))
    assert _make_tensor(storage, 1, (3,), (1,)).shape == (3,)
