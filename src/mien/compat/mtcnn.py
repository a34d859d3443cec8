"""`MTCNN`: facenet-pytorch's detector class on mien's detector, with numpy arrays for tensors.

Parameters and results are those of facenet-pytorch 2.6. Where that version fails, this one
answers: images without a face in a list, lists of different sizes, images too small for a
face, grey, palette and transparent images, float arrays. `mien.facenet_pytorch.MTCNN` is the
same with torch tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from mien.app.pipeline import open_cascade
from mien.compat.crops import (
    check_crop_settings,
    cut_face,
    is_batch,
    list_save_paths,
    read_pixels,
    save_crop,
    standardise,
)
from mien.compat.per_process import PerProcess
from mien.faces.detect import Cascade, CascadeSettings
from mien.faces.select import rank_faces
from mien.media.image_file import ImageSource
from mien.results import ByteArray, Faces, FloatArray
from mien.settings import load_settings


class MTCNN:
    """Find faces in pictures and cut them out.

    image_size: side of the crop, pixels. margin: pixels of the crop around the box,
    0 <= margin < image_size. min_face_size: pixels. thresholds: of the three nets,
    0..1. factor: between pyramid levels, 0..1. post_process: crops as (x - 127.5) / 128;
    otherwise 0..255. select_largest: sort by area; otherwise by score.
    selection_method: one of `SELECTION_METHODS`; chooses the one face, over select_largest.
    keep_all: return all faces, not one. device: None or "cpu". empty: return (0, 4) arrays
    instead of None where there is no face. engine: "onnxruntime" or "openvino"; None
    takes MIEN_ENGINE. cascade: a loaded detector whose nets are shared; its settings are not.

    Can be pickled and used in forked processes; each process opens the nets for itself.
    Raises ValueError for an impossible parameter, ModelMissing or ModelAltered.
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
        check_crop_settings(image_size, margin, selection_method)
        if str(device or "cpu") != "cpu":
            raise ValueError(f"mien runs on the CPU; device must be None or 'cpu', not {device}")
        first, second, third = thresholds
        settings = CascadeSettings(min_face_size, (first, second, third), factor)
        self.image_size, self.margin = image_size, margin
        self.post_process, self.keep_all, self.empty = post_process, keep_all, empty
        self.selection_method = selection_method or ("largest" if select_largest else "probability")
        self.select_largest = select_largest
        self._cascade = PerProcess(
            partial(open_detector, engine, settings),
            None if cascade is None else cascade.with_settings(settings),
        )

    def __repr__(self) -> str:
        settings = self._cascade.get().settings
        return (
            f"MTCNN(image_size={self.image_size}, margin={self.margin}, "
            f"min_face_size={settings.min_face_size}, thresholds={list(settings.thresholds)}, "
            f"factor={settings.factor}, post_process={self.post_process}, "
            f"selection_method={self.selection_method!r}, keep_all={self.keep_all})"
        )

    def __call__(self, img: Any, save_path: Any = None, return_prob: bool = False) -> Any:
        """Crop the faces of one image, or of each of a list or (b, H, W, 3) batch.

        One image: (3, s, s) float32, or None; with keep_all (n, 3, s, s), or None.
        With return_prob also its score, or (n,) scores; (None, None) without a
        face, (None, [None]) with keep_all. A list: a list of the above, in order;
        with return_prob two lists. save_path: a picture file for the crop, not
        standardised; the second face gets `_2` before the suffix, the third `_3`.

        Raises UnreadableImage for what is not a picture.
        """
        if not is_batch(img):
            crops, scores = self._crop(img, save_path)
            return (crops, scores) if return_prob else crops
        images = list(img)
        paths = list_save_paths(save_path, len(images))
        pairs = [self._crop(one, path) for one, path in zip(images, paths, strict=True)]
        crops = [crop for crop, _ in pairs]
        return (crops, [score for _, score in pairs]) if return_prob else crops

    forward = __call__

    def detect(self, img: Any, landmarks: bool = False) -> tuple[Any, ...]:
        """Find boxes (n, 4), scores (n,) and, with landmarks, points (n, 5, 2): float32, pixels.

        Sorted by area if select_largest, else by score. Without a face
        (None, [None]), or (None, [None], None); with `empty` arrays of n = 0. For a list or
        batch, each of the two or three is a list with one entry per image.
        """
        if not is_batch(img):
            return self._detect(img, landmarks)
        rows = [self._detect(one, landmarks) for one in img]
        return tuple([row[part] for row in rows] for part in range(3 if landmarks else 2))

    def faces(self, img: ImageSource) -> Faces:
        """All faces of one image as one record, in the order of `detect`."""
        return self._find(read_pixels(img))

    def _find(self, image: ByteArray) -> Faces:
        faces = self._cascade.get().find(image, "all")
        order = "largest" if self.select_largest else "probability"
        return faces.take(rank_faces(faces, order, image.shape))

    def _detect(self, img: Any, landmarks: bool) -> tuple[Any, ...]:
        faces = self.faces(img)
        if len(faces) == 0 and not self.empty:
            return (None, [None], None) if landmarks else (None, [None])
        # copies: those of a record are read-only, and the caller may scale the boxes in place
        parts = (faces.boxes_xyxy.copy(), faces.scores.copy(), faces.points_xy.copy())
        return parts if landmarks else parts[:2]

    def _crop(self, img: Any, save_path: Any) -> tuple[Any, Any]:
        """Crops and scores of one image."""
        image = read_pixels(img)
        found = self._find(image)
        # as in the reference, the method chooses one face; it neither sorts nor drops faces
        # when all are kept
        chosen = found
        if not self.keep_all:
            chosen = found.take(rank_faces(found, self.selection_method, image.shape)[:1])
        if len(chosen) == 0 and not (self.empty and self.keep_all):
            return None, ([None] if self.keep_all else None)
        crops = self._cut(img, image, chosen, save_path)
        if self.keep_all:
            return crops, chosen.scores.copy()
        return crops[0], float(chosen.scores[0])

    def _cut(self, img: Any, image: ByteArray, faces: Faces, save_path: Any) -> FloatArray:
        """(n, 3, s, s) float32, standardised if `post_process`."""
        side = self.image_size
        pixels = np.zeros((len(faces), side, side, 3), np.uint8)
        for row, face in enumerate(faces):
            pixels[row] = cut_face(img, image, face, side=side, margin=self.margin)
            if save_path is not None:
                save_crop(pixels[row], save_path, row)
        crops = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)
        return standardise(crops) if self.post_process else crops


def open_detector(engine: str | None, settings: CascadeSettings) -> Cascade:
    """Open the detector's nets by the environment's settings; engine: as for `MTCNN`."""
    return open_cascade(load_settings(engine=engine), settings)
