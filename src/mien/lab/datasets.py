"""A folder of people as a data set, like torchvision's ImageFolder but without torch.

torch's DataLoader only needs the length and a sample by index, so it accepts a
`PeopleFolder` in the place of an ImageFolder:

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
    """Photos in one folder per person; a photo is read when it is requested.

    samples, imgs: (path, label) of each photo, one list under two names. targets: the
    labels alone. classes: names of the people, sorted; a label is an index into it.
    class_to_idx: the label of each name. transform: photo -> sample; None gives the photo.
    """

    def __init__(self, root: str | os.PathLike[str], transform: Transform | None = None) -> None:
        self.root = os.path.expanduser(root)
        self.transform = transform
        found = find_people_photos(self.root)
        self.classes = list(dict.fromkeys(person for _, person in found))
        self.class_to_idx = {person: label for label, person in enumerate(self.classes)}
        # not str(path): a Path drops the "./" that ImageFolder keeps
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

        Raises UnreadableImage with the path of the photo, and IndexError past the end.
        """
        path, label = self.samples[index]
        photo = self.loader(path)
        return (photo if self.transform is None else self.transform(photo)), label

    def __repr__(self) -> str:
        return f"PeopleFolder({self.root!r}, {len(self)} photos of {len(self.classes)} people)"


class FoundBatch(NamedTuple):
    """The samples of a batch in which a face was found.

    crops: (n, 3, side, side) float32. labels: (n,) int64. left_out: number of the others.
    """

    crops: FloatArray
    labels: npt.NDArray[np.int64]
    left_out: int


def people_folder(root: str | os.PathLike[str], transform: Transform | None = None) -> PeopleFolder:
    """The data set of a folder of people; photos, labels and order are ImageFolder's.

    Photos in deeper folders belong to the person of the folder right under `root`. There are
    three differences: a folder without photos is skipped instead of an error, hidden files and
    folders are ignored, and GIF, AVIF and HEIF are read too.

    Raises UsageError if `root` cannot be listed or contains no photo of a person.
    """
    return PeopleFolder(root, transform)


def read_photo(path: str | os.PathLike[str]) -> Image.Image:
    """The photo as upright PIL RGB. Raises UnreadableImage, as `mien.read_image` does."""
    from PIL import Image

    return Image.fromarray(read_image(path))


def collate_found(batch: Sequence[tuple[npt.ArrayLike | None, int]]) -> FoundBatch:
    """Stack the crops of a batch and leave out None; pass it to DataLoader as `collate_fn`.

    MTCNN gives None for a photo without a face, on which the default `collate_fn` fails. If no
    sample has a crop, `crops` is (0, 3, 0, 0). Raises ValueError for crops of different shapes.
    """
    found = [(np.asarray(crop, np.float32), label) for crop, label in batch if crop is not None]
    crops = np.stack([crop for crop, _ in found]) if found else np.zeros((0, 3, 0, 0), np.float32)
    labels = np.array([label for _, label in found], np.int64)
    return FoundBatch(crops, labels, len(batch) - len(found))
