"""The article's code with only its import line changed: stacks, folders, workers."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import mien
from mien.lab.datasets import people_folder
from mien.results import ByteArray

torch = pytest.importorskip("torch", reason="needs torch: pip install 'mien[torch]'")

from torch.utils.data import DataLoader  # noqa: E402 - imports torch

from mien.facenet_pytorch import MTCNN, InceptionResnetV1, training  # noqa: E402 - imports torch


@pytest.fixture
def album(tmp_path: Path, shots: list[ByteArray]) -> Path:
    """Two people with two photos each."""
    for name, photos in {"ana": shots[:2], "bea": shots[2:]}.items():
        (tmp_path / "album" / name).mkdir(parents=True)
        for number, photo in enumerate(photos):
            Image.fromarray(photo).save(tmp_path / "album" / name / f"{number}.png")
    return tmp_path / "album"


def test_crops_are_stacked_and_embedded(home: Path, shots: list[ByteArray]) -> None:
    mtcnn = MTCNN(image_size=160, margin=18)
    net = InceptionResnetV1().eval()
    images = [Image.fromarray(shot) for shot in shots[:2]]
    faces = torch.stack(list(map(mtcnn, images)))
    with torch.no_grad():
        embeddings = torch.cat([net(face.unsqueeze(0)) for face in faces])
    assert embeddings.shape == (2, 512)


def test_an_image_folder_takes_the_detector_as_its_transform(
    home: Path, album: Path, torchvision_datasets: ModuleType
) -> None:
    folder = torchvision_datasets.ImageFolder(str(album), transform=MTCNN(margin=18))
    faces, labels = next(iter(DataLoader(folder, batch_size=4)))
    assert (tuple(faces.shape), labels.tolist()) == ((4, 3, 160, 160), [0, 0, 1, 1])


@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.parametrize("make", [MTCNN, mien.MTCNN], ids=["tensors", "numpy"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_workers_of_a_data_loader_open_their_own_detector(
    start: str, make: type, home: Path, album: Path
) -> None:
    mtcnn = make(margin=18)
    alone = [np.asarray(face) for face, _ in people_folder(album, transform=mtcnn)]
    loader = DataLoader(
        people_folder(album, transform=mtcnn),
        batch_size=2,
        num_workers=2,
        timeout=300,  # a worker that waits for its parent's threads would wait for ever
        multiprocessing_context=multiprocessing.get_context(start),
    )
    batches = [faces.numpy() for faces, _ in loader]
    np.testing.assert_array_equal(np.concatenate(batches), np.stack(alone))


def test_pil_images_are_collated_for_one_call_of_the_detector(home: Path, album: Path) -> None:
    loader = DataLoader(people_folder(album), batch_size=4, collate_fn=training.collate_pil)
    images, labels = next(iter(loader))
    assert labels == [0, 0, 1, 1]
    assert [tuple(face.shape) for face in MTCNN()(images)] == [(3, 160, 160)] * 4
