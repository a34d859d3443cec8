"""A folder of people as a data set: what torchvision's ImageFolder gives, without torch.

torch's DataLoader asks for `len` and for one sample by number, and no more, so it takes
this as it takes an ImageFolder:

    dataset = people_folder("faces", transform=MTCNN(image_size=160, margin=18))
    for crops, labels in DataLoader(dataset, batch_size=8): ...
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mien.media.image_file import read_image
from mien.media.photo_paths import find_people_photos
from mien.results import FloatArray

if TYPE_CHECKING:
    from PIL import Image

Transform: TypeAlias = "Callable[[Image.Image], Any]"


class PeopleFolder:
    """Photos in one folder per person, read when they are asked for.

    samples, imgs: (path, label) of each photo, one list under two names. targets: the
    labels alone. classes: the people, in plain order; a label is a place in it.
    class_to_idx: the way back. transform: photo -> sample; None gives the photo.
    """

    def __init__(self, root: str | os.PathLike[str], transform: Transform | None = None) -> None:
        self.root = os.path.expanduser(root)
        self.transform = transform
        found = find_people_photos(self.root)
        self.classes = list(dict.fromkeys(person for _, person in found))
        self.class_to_idx = {person: label for label, person in enumerate(self.classes)}
        # joined anew: a Path drops the "./" that ImageFolder keeps
        self.samples = [
            (os.path.join(self.root, path.relative_to(self.root)), self.class_to_idx[person])
            for path, person in found
        ]
        self.imgs = self.samples
        self.targets = [label for _, label in self.samples]
        self.loader = read_photo

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        """The photo after the transform, and its label.

        Raises UnreadableImage, which names the photo, and IndexError past the end.
        """
        path, label = self.samples[index]
        photo = self.loader(path)
        return (photo if self.transform is None else self.transform(photo)), label

    def __repr__(self) -> str:
        return f"PeopleFolder({self.root!r}, {len(self)} photos of {len(self.classes)} people)"


class FoundBatch(NamedTuple):
    """The samples of a batch that have a crop.

    crops: (n, 3, side, side) float32. labels: (n,) int64. left_out: how many had none.
    """

    crops: FloatArray
    labels: npt.NDArray[np.int64]
    left_out: int


def people_folder(root: str | os.PathLike[str], transform: Transform | None = None) -> PeopleFolder:
    """The data set of a folder of people; photos, labels and order are ImageFolder's.

    A photo that lies deeper belongs to the folder right under `root`. Where ImageFolder
    fails or would take what is no photo, this does not: a folder without photos is
    nobody, hidden files and folders are left out. It also takes GIF, AVIF and HEIF.

    Raises UsageError for a root that cannot be listed or holds no photo of a person.
    """
    return PeopleFolder(root, transform)


def read_photo(path: str | os.PathLike[str]) -> Image.Image:
    """The photo as upright PIL RGB. Raises UnreadableImage, as `mien.read_image` does."""
    from PIL import Image

    return Image.fromarray(read_image(path))


def collate_found(batch: Sequence[tuple[npt.ArrayLike | None, int]]) -> FoundBatch:
    """Stack the crops that there are: for DataLoader's `collate_fn`, whose own fails on None.

    MTCNN gives None for a photo without a face. Without any crop the side is unknown,
    and `crops` is (0, 3, 0, 0). Raises ValueError for crops of different shapes.
    """
    found = [(np.asarray(crop, np.float32), label) for crop, label in batch if crop is not None]
    crops = np.stack([crop for crop, _ in found]) if found else np.zeros((0, 3, 0, 0), np.float32)
    labels = np.array([label for _, label in found], np.int64)
    return FoundBatch(crops, labels, len(batch) - len(found))
