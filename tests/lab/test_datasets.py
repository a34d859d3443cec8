"""A folder of people as a data set: torchvision's ImageFolder without torchvision."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from mien import MTCNN
from mien.errors import UnreadableImage, UsageError
from mien.faces.detect import Cascade
from mien.lab.datasets import collate_found, people_folder
from mien.results import ByteArray

TREE = ("b/z.jpg", "b/a/1.jpg", "b/a-b/1.jpg", "b/a/c/1.png", "B/x.JPG", "b c/q.webp", "b/notes")


def filled(root: Path, *names: str, pixels: ByteArray | None = None) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if pixels is None:
            (root / name).touch()
        else:
            Image.fromarray(pixels).save(root / name)
    return root


@pytest.fixture
def album(tmp_path: Path, astronaut: ByteArray) -> Path:
    """Ana twice, once in a deeper folder, and Cat, who has no face that counts."""
    filled(tmp_path, "ana/1.jpg", "ana/holiday/2.jpg", pixels=astronaut)
    return filled(tmp_path, "cat/1.png", pixels=np.full((90, 120, 3), 90, np.uint8))


@pytest.fixture
def crop_faces(cascade: Cascade) -> MTCNN:
    return MTCNN(image_size=160, margin=18, cascade=cascade)


# photos and labels -------------------------------------------------------------------------


def test_people_are_labelled_in_sorted_order_and_deep_photos_belong_to_the_top_folder(
    tmp_path: Path,
) -> None:
    dataset = people_folder(filled(tmp_path, *TREE))
    assert dataset.classes == ["B", "b", "b c"]
    assert dataset.class_to_idx == {"B": 0, "b": 1, "b c": 2}
    names = ["B/x.JPG", "b/z.jpg", "b/a/1.jpg", "b/a-b/1.jpg", "b/a/c/1.png", "b c/q.webp"]
    assert [os.path.relpath(path, tmp_path) for path, _ in dataset.samples] == names
    assert dataset.targets == [0, 1, 1, 1, 1, 2]
    assert dataset.imgs is dataset.samples
    assert len(dataset) == 6
    assert repr(dataset) == f"PeopleFolder({str(tmp_path)!r}, 6 photos of 3 people)"


def test_the_eight_photos_of_the_article_have_their_labels(shared_photos: Path) -> None:
    dataset = people_folder(shared_photos / "faces")
    assert dataset.classes == ["di_caprio", "matt_demon", "me"]
    assert dataset.targets == [0, 0, 0, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("spelled", ["{}", "./{}", "{}/", "{}/../{}"])
def test_samples_and_labels_equal_those_of_torchvision(
    torchvision_datasets: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelled: str
) -> None:
    monkeypatch.chdir(filled(tmp_path, *(f"faces/{name}" for name in TREE)).as_posix())
    root = spelled.format("faces", "faces")
    ours, theirs = people_folder(root), torchvision_datasets.ImageFolder(root)
    for name in ("samples", "imgs", "targets", "classes", "class_to_idx", "root"):
        assert getattr(ours, name) == getattr(theirs, name), name


def test_paths_begin_with_the_root_as_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(filled(tmp_path, "faces/ana/1.jpg"))
    assert people_folder("./faces").samples == [("./faces/ana/1.jpg", 0)]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert people_folder("~/faces").samples == [(str(tmp_path / "faces" / "ana" / "1.jpg"), 0)]


def test_empty_and_hidden_folders_are_not_people(tmp_path: Path) -> None:
    (tmp_path / "aaron").mkdir()
    dataset = people_folder(filled(tmp_path, "ana/1.jpg", ".ipynb_checkpoints/2.jpg"))
    assert dataset.class_to_idx == {"ana": 0}
    assert dataset.targets == [0]


def test_a_root_without_people_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no photo of a person"):
        people_folder(tmp_path)


# one sample --------------------------------------------------------------------------------


def test_without_a_transform_a_sample_is_an_rgb_photo_and_its_label(album: Path) -> None:
    photo, label = people_folder(album)[-1]
    assert isinstance(photo, Image.Image)
    assert (photo.mode, photo.size, label) == ("RGB", (120, 90), 1)


def test_the_transform_gets_a_photo_turned_upright(tmp_path: Path) -> None:
    (tmp_path / "ana").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("L", (40, 30)).save(tmp_path / "ana" / "1.jpg", exif=exif)
    dataset = people_folder(tmp_path, transform=lambda photo: (photo.mode, photo.size))
    assert dataset[0] == (("RGB", (30, 40)), 0)


def test_iterating_over_the_data_set_ends(album: Path) -> None:
    assert [label for _, label in people_folder(album, transform=np.asarray)] == [0, 0, 1]


def test_a_damaged_photo_is_named(tmp_path: Path) -> None:
    dataset = people_folder(filled(tmp_path, "ana/1.jpg"))
    with pytest.raises(UnreadableImage, match=r"1\.jpg' is empty"):
        dataset[0]


# batches -----------------------------------------------------------------------------------


def test_collate_leaves_out_samples_without_a_crop_and_counts_them() -> None:
    one, two = np.full((3, 4, 4), 1, np.float32), np.full((3, 4, 4), 2, np.float32)
    crops, labels, left_out = collate_found([(one, 5), (None, 6), (two, 7), (None, 8)])
    assert crops.shape == (2, 3, 4, 4)
    assert crops.dtype == np.float32
    assert crops[:, 0, 0, 0].tolist() == [1, 2]
    assert (labels.tolist(), labels.dtype, left_out) == ([5, 7], np.int64, 2)


def test_collate_without_any_crop_is_an_empty_batch() -> None:
    crops, labels, left_out = collate_found([(None, 1), (None, 2)])
    assert (crops.shape, labels.shape, left_out) == ((0, 3, 0, 0), (0,), 2)


def test_collate_refuses_crops_of_different_shapes() -> None:
    with pytest.raises(ValueError, match="same shape"):
        collate_found([(np.zeros((3, 4, 4)), 0), (np.zeros((3, 5, 5)), 0)])


def test_torchs_data_loader_accepts_it_as_in_the_article(album: Path, crop_faces: MTCNN) -> None:
    data = pytest.importorskip("torch.utils.data", reason="needs torch: pip install '.[torch]'")
    (album / "cat" / "1.png").unlink()  # torch's own collate wants a face in every photo
    dataset = people_folder(album, transform=crop_faces)
    (batch,) = data.DataLoader(dataset, batch_size=8, num_workers=0)
    crops, labels = batch
    assert tuple(crops.shape) == (2, 3, 160, 160)
    assert str(crops.dtype) == "torch.float32"
    np.testing.assert_array_equal(crops[0].numpy(), dataset[0][0])
    assert labels.tolist() == [0, 0]


def test_torchs_data_loader_leaves_out_a_photo_without_a_face(
    album: Path, crop_faces: MTCNN
) -> None:
    data = pytest.importorskip("torch.utils.data", reason="needs torch: pip install '.[torch]'")
    loader = data.DataLoader(
        people_folder(album, transform=crop_faces), batch_size=8, collate_fn=collate_found
    )
    ((crops, labels, left_out),) = loader
    assert (crops.shape, labels.tolist(), left_out) == ((2, 3, 160, 160), [0, 0], 1)
