"""`MTCNN` with torch tensors: facenet-pytorch 2.6's class on mien's detector."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mien.compat.crops import check_crop_settings, face_at, is_batch, list_save_paths
from mien.compat.facenet_pytorch.images import (
    cut_tensor,
    fixed_image_standardization,
    open_sources,
    read_as_stored,
)
from mien.compat.mtcnn import open_detector
from mien.compat.per_process import PerProcess
from mien.faces.detect import Cascade, CascadeSettings
from mien.faces.select import rank_faces
from mien.results import Faces

Found = tuple[Any, Any, Any]
"""Boxes, scores and points of one image, or of each of a batch."""


class MTCNN(nn.Module):
    """Find faces in pictures and cut them out as tensors.

    The parameters up to `device` are those of facenet-pytorch 2.6: image_size and margin in
    pixels of the crop; min_face_size in pixels of the picture; thresholds of the three nets
    and factor between pyramid levels, 0..1; post_process for crops as (x - 127.5) / 128
    instead of 0..255; select_largest to sort by area instead of score; selection_method one
    of `SELECTION_METHODS`; keep_all to return all faces. They are attributes of the same names
    and may be changed. device: kept for `.device`; detection itself runs on the CPU, and
    crops are CPU tensors, as in the reference.
    engine: "onnxruntime" or "openvino"; None takes MIEN_ENGINE. cascade: a loaded detector
    whose nets are shared.

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
        device: Any = None,
        *,
        engine: str | None = None,
        cascade: Cascade | None = None,
    ) -> None:
        super().__init__()
        check_crop_settings(image_size, margin, selection_method)
        self.image_size, self.margin, self.min_face_size = image_size, margin, min_face_size
        self.thresholds, self.factor = list(thresholds), factor
        self.post_process, self.keep_all = post_process, keep_all
        self.select_largest = select_largest
        self.selection_method = selection_method or ("largest" if select_largest else "probability")
        self._cascade = PerProcess(partial(open_detector, engine, self._settings()), cascade)
        # an empty tensor that moves with the module, and knows where that is
        self.register_buffer("_place", torch.zeros(0), persistent=False)
        if device is not None:
            self.to(device)

    @property
    def device(self) -> torch.device:
        """The device given, or last moved to. Setting it is the same as `.to`."""
        place = self._buffers["_place"]
        return torch.device("cpu") if place is None else place.device

    @device.setter
    def device(self, device: Any) -> None:
        self.to(device)

    def extra_repr(self) -> str:
        return (
            f"image_size={self.image_size}, margin={self.margin}, "
            f"min_face_size={self.min_face_size}, thresholds={self.thresholds}, "
            f"factor={self.factor}, post_process={self.post_process}, "
            f"selection_method={self.selection_method!r}, keep_all={self.keep_all}"
        )

    def forward(self, img: Any, save_path: Any = None, return_prob: bool = False) -> Any:
        """Crop the faces of one image, or of each of a list or (b, H, W, 3) batch.

        One image: a (3, s, s) float32 tensor, or None without a face; with keep_all
        (n, 3, s, s). A batch: a list of the above. return_prob: also the scores, as
        `select_boxes` or, with keep_all, `detect` gives them. save_path: a picture file for
        the crop, one for each image; the second face of an image gets `_2` before the suffix.

        Raises UnreadableImage for what is not a picture.
        """
        img = open_sources(img)
        boxes, scores, points = self.detect(img, landmarks=True)
        if not self.keep_all:
            boxes, scores, points = self.select_boxes(
                boxes, scores, points, img, method=self.selection_method
            )
        faces = self.extract(img, boxes, save_path)
        return (faces, scores) if return_prob else faces

    def detect(self, img: Any, landmarks: bool = False) -> Any:
        """Find boxes (n, 4), scores (n,) and, with landmarks, points (n, 5, 2): float32, pixels.

        Sorted by area if select_largest, else by score. None, [None] and None without a face.
        A batch: each with one more dimension if all images have equally many faces; otherwise
        an object array with one entry for each image.
        """
        found = _joined([self._find(one) for one in img]) if is_batch(img) else self._find(img)
        return found if landmarks else found[:2]

    def select_boxes(
        self,
        all_boxes: Any,
        all_probs: Any,
        all_points: Any,
        imgs: Any,
        method: str = "probability",
        threshold: float = 0.9,
        center_weight: float = 2.0,
    ) -> Found:
        """Choose one face of each image from what `detect` gave for `imgs`.

        One image: box (1, 4), score, points (1, 5, 2); None three times without a face.
        A batch: (b, 1, 4), (b, 1) and (b, 1, 5, 2); object arrays if an image has no face.
        method: one of `SELECTION_METHODS`. threshold: least score for
        "largest_over_threshold". center_weight: pixels of area that a squared pixel off the
        centre costs "center_weighted_size". ValueError for another method.
        """

        def select(boxes: Any, scores: Any, points: Any, img: Any) -> Found:
            if boxes is None:
                return None, _no_score(), None
            faces = _faces_of(boxes, scores, points)
            shape_hw = _shape_hw(img)
            rows = rank_faces(
                faces, method, shape_hw, min_score=threshold, centre_weight=center_weight
            )[:1]
            if len(rows) == 0:
                return None, _no_score(), None
            return np.asarray(boxes)[rows], np.asarray(scores)[rows], np.asarray(points)[rows]

        if is_batch(imgs):
            parts = zip(all_boxes, all_probs, all_points, imgs, strict=True)
            return _joined([select(*part) for part in parts])
        box, score, point = select(all_boxes, all_probs, all_points, imgs)
        return box, score[0], point

    def extract(self, img: Any, batch_boxes: Any, save_path: Any) -> Any:
        """Cut boxes (n, 4) out of one image, or those of each image out of a batch.

        Gives what `forward` gives; None where the boxes are None. Without keep_all only the
        first box of an image is cut.
        """
        if not is_batch(img):
            # one path, or a list of one, as in the reference
            return self._extract(img, batch_boxes, list_save_paths(save_path, 1)[0])
        images = list(img)
        paths = list_save_paths(save_path, len(images))
        parts = zip(images, batch_boxes, paths, strict=True)
        return [self._extract(one, boxes, path) for one, boxes, path in parts]

    def _settings(self) -> CascadeSettings:
        first, second, third = self.thresholds
        return CascadeSettings(self.min_face_size, (first, second, third), self.factor)

    def _find(self, img: Any) -> Found:
        pixels = read_as_stored(img)
        faces = self._cascade.get().with_settings(self._settings()).find(pixels, "all")
        if len(faces) == 0:
            return None, _no_score(), None
        order = "largest" if self.select_largest else "probability"
        faces = faces.take(rank_faces(faces, order, pixels.shape))
        # copies: those of a record are read-only, and the caller may scale the boxes in place
        return faces.boxes_xyxy.copy(), faces.scores.copy(), faces.points_xy.copy()

    def _extract(self, img: Any, boxes: Any, save_path: Any) -> Tensor | None:
        if boxes is None:
            return None
        pixels = read_as_stored(img)
        size, margin = self.image_size, self.margin
        crops = [
            cut_tensor(img, pixels, face_at(box), size, margin, save_path, row)
            for row, box in enumerate(boxes if self.keep_all else boxes[:1])
        ]
        faces = torch.stack(crops) if self.keep_all else crops[0]
        return fixed_image_standardization(faces) if self.post_process else faces


def _faces_of(boxes: Any, scores: Any, points: Any) -> Faces:
    """The parts of `detect` as one record, whatever dtype the caller's arrays have."""
    return Faces(*(np.asarray(part, np.float32) for part in (boxes, points, scores)))


def _no_score() -> npt.NDArray[np.object_]:
    return np.array([None], dtype=object)


def _joined(found: list[Found]) -> Found:
    """What was found in each image, as three arrays over the images."""
    columns = zip(*found, strict=True) if found else ((), (), ())
    boxes, scores, points = (_stacked(list(column)) for column in columns)
    return boxes, scores, points


def _stacked(parts: list[Any]) -> npt.NDArray[Any]:
    shapes = {None if part is None else part.shape for part in parts}
    if len(shapes) == 1 and None not in shapes:
        return np.stack(parts)
    column = np.empty(len(parts), dtype=object)
    for row, part in enumerate(parts):
        column[row] = part
    return column


def _shape_hw(img: Any) -> tuple[int, ...]:
    size_wh = getattr(img, "size", None)
    if isinstance(size_wh, tuple):  # of a PIL image
        return size_wh[::-1]
    shape = getattr(img, "shape", None)
    return tuple(shape[:2]) if shape is not None else read_as_stored(img).shape[:2]
