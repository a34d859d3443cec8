"""`MTCNN`: facenet-pytorch's class in front of our detector, so that its users' code runs.

Parameters, their meaning and the results are those of facenet-pytorch 2.6, in numpy
where it has torch. Where that version fails, this one answers: images without a face in a
list, lists of different sizes, images too small for a face, grey, palette and
transparent images, float arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from mien.app.pipeline import open_cascade
from mien.faces.align import margin_crop
from mien.faces.detect import Cascade, CascadeSettings
from mien.faces.select import SELECTION_METHODS, rank_faces
from mien.media.image_file import ImageSource, read_image
from mien.results import ByteArray, Faces, FloatArray
from mien.settings import load_settings


class MTCNN:
    """Find faces and cut them out.

    image_size: side of the crop, pixels. margin: pixels of the crop around the box,
    0 <= margin < image_size. min_face_size: pixels. thresholds: of the three nets,
    0..1. factor: between pyramid levels. post_process: crops as (x - 127.5) / 128,
    else 0..255. select_largest: the largest face comes first, else the surest.
    selection_method: one of `SELECTION_METHODS`, chooses the one face, over select_largest.
    keep_all: all faces, not one. device: None or "cpu". empty: give (0, 4) arrays
    instead of None where no face is. engine: "onnxruntime" or "openvino"; None
    takes MIEN_ENGINE. cascade: a loaded detector to share; it lends its
    nets, the settings are those given here.

    Raises ValueError for a parameter that cannot be, ModelMissing or ModelAltered.
    """

    def __init__(
        self,
        image_size: int = 160,
        margin: int = 0,
        min_face_size: int = 20,
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        post_process: bool = True,
        select_largest: bool = True,
        selection_method: str | None = None,
        keep_all: bool = False,
        device: object = None,
        *,
        empty: bool = False,
        engine: str | None = None,
        cascade: Cascade | None = None,
    ) -> None:
        if not 0 <= margin < image_size:
            raise ValueError(
                f"margin must be 0 to {image_size - 1}, below image_size, not {margin}"
            )
        if selection_method not in (None, *SELECTION_METHODS):
            raise ValueError(_unknown_method(selection_method))
        if str(device or "cpu") != "cpu":
            raise ValueError(f"mien runs on the CPU; device must be None or 'cpu', not {device}")
        first, second, third = thresholds
        wanted = CascadeSettings(min_face_size, (first, second, third), factor)
        self.image_size, self.margin = image_size, margin
        self.post_process, self.keep_all, self.empty = post_process, keep_all, empty
        self.selection_method = selection_method or ("largest" if select_largest else "probability")
        self.select_largest = select_largest
        if cascade is None:
            self._cascade = open_cascade(load_settings(engine=engine), wanted)
        else:
            self._cascade = cascade.with_settings(wanted)

    def __call__(self, img: Any, save_path: Any = None, return_prob: bool = False) -> Any:
        """Crops of one image or of a list or (b, H, W, 3) batch of them.

        One image: (3, s, s) float32, or None; with keep_all (n, 3, s, s), or None.
        With return_prob also its score, or (n,) scores; (None, None) without a
        face, (None, [None]) with keep_all. A list: a list of the above, in order;
        with return_prob two lists. save_path: where the crops are written as they
        look, not standardised; further faces get _2, _3.

        Raises UnreadableImage for what is no picture.
        """
        if not _is_many(img):
            crops, scores = self._one(img, save_path)
            return (crops, scores) if return_prob else crops
        many = list(img)
        paths = _path_list(save_path, len(many))
        if len(paths) != len(many):
            raise ValueError(f"{len(many)} images and {len(paths)} save paths; give one for each")
        pairs = [self._one(one, path) for one, path in zip(many, paths, strict=True)]
        crops = [crop for crop, _ in pairs]
        return (crops, [score for _, score in pairs]) if return_prob else crops

    forward = __call__

    def detect(self, img: Any, landmarks: bool = False) -> tuple[Any, ...]:
        """Boxes (n, 4), scores (n,) and, with landmarks, points (n, 5, 2), all float32, pixels.

        Sorted by area if select_largest, else by score. Without a face
        (None, [None]), or (None, [None], None); with `empty` arrays of n = 0. For a list or
        batch, each of the two or three is a list with one entry per image.
        """
        if not _is_many(img):
            return self._detected(read_image(img), landmarks)
        rows = [self._detected(read_image(one), landmarks) for one in img]
        return tuple([row[part] for row in rows] for part in range(3 if landmarks else 2))

    def faces(self, img: ImageSource) -> Faces:
        """All faces of one image as one record, in the order of `detect`."""
        return self._in_order(read_image(img))

    def _in_order(self, image: ByteArray) -> Faces:
        faces = self._cascade.find(image, "all")
        order = "largest" if self.select_largest else "probability"
        return faces.take(rank_faces(faces, order, image.shape))

    def _detected(self, image: ByteArray, landmarks: bool) -> tuple[Any, ...]:
        faces = self._in_order(image)
        if len(faces) == 0 and not self.empty:
            return (None, [None], None) if landmarks else (None, [None])
        parts = (faces.boxes_xyxy, faces.scores, faces.points_xy)
        return parts if landmarks else parts[:2]

    def _one(self, img: Any, save_path: Any) -> tuple[Any, Any]:
        image = read_image(img)
        found = self._in_order(image)
        # as in the reference, the method chooses one face; it neither sorts nor drops when
        # all are kept
        chosen = found
        if not self.keep_all:
            chosen = found.take(rank_faces(found, self.selection_method, image.shape)[:1])
        if len(chosen) == 0 and not (self.empty and self.keep_all):
            return None, ([None] if self.keep_all else None)
        crops = self._cut(image, chosen, by_area=isinstance(img, np.ndarray), save_path=save_path)
        if self.keep_all:
            return crops, chosen.scores
        return crops[0], float(chosen.scores[0])

    def _cut(self, image: ByteArray, faces: Faces, *, by_area: bool, save_path: Any) -> FloatArray:
        """(n, 3, s, s) float32, standardised if so asked."""
        side = self.image_size
        pixels = np.zeros((len(faces), side, side, 3), np.uint8)
        for row, face in enumerate(faces):
            crop = margin_crop(image, face, side=side, margin=self.margin, by_area=by_area)
            pixels[row] = crop.pixels
            if save_path is not None:
                _save(crop.pixels, Path(save_path), row)
        crops = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)
        return (crops - np.float32(127.5)) / np.float32(128) if self.post_process else crops


def _is_many(img: object) -> bool:
    return isinstance(img, (list, tuple)) or (getattr(img, "ndim", 0) == 4)


def _path_list(save_path: Any, count: int) -> list[Any]:
    if save_path is None:
        return [None] * count
    # a text is a sequence too, of letters
    return [save_path] if isinstance(save_path, (str, PathLike)) else list(save_path)


def _unknown_method(method: str | None) -> str:
    return f"unknown selection_method {method!r}; known: {', '.join(SELECTION_METHODS)}"


def _save(pixels: ByteArray, path: Path, row: int) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    name = path if row == 0 else path.with_name(f"{path.stem}_{row + 1}{path.suffix}")
    Image.fromarray(pixels).save(name)
