"""`FaceUnlock`: the article's class. Photos of the owner in, decisions out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from mien.app.enroll import enroll_photos
from mien.app.enrollment import Enrollment
from mien.app.pipeline import Pipeline, open_pipeline
from mien.app.verify import verify_photo
from mien.errors import UsageError
from mien.media.image_file import ImageSource, read_image
from mien.media.photo_paths import find_photos
from mien.results import Decision, FloatArray, Threshold
from mien.settings import DEFAULT_MODEL, load_settings
from mien.vectors import centre_of


class FaceUnlock:
    """Unlocks for the person on `images`, and for nobody else.

    images: photos of the owner, each a path, bytes, PIL image or array
    (H, W, 3) uint8 RGB; or one such photo, or one folder. embedder: a row of `mien models`.
    threshold: least cosine, -1..1, to accept. target_fmr: or the share of strangers
    that may pass, 0..1; None is one in ten thousand, where the embedder is calibrated.
    engine: "onnxruntime" or "openvino"; None takes MIEN_ENGINE. pipeline: one
    already loaded, to share it.

    Raises UnreadableImage, NoFaceFound, SeveralFacesFound, EnrollmentRefused (each
    naming the photo), ModelMissing, ModelAltered.

        unlock = FaceUnlock(images)
        is_me, similarity = unlock("probe.jpg")
    """

    def __init__(
        self,
        images: Sequence[ImageSource] | ImageSource,
        embedder: str = DEFAULT_MODEL,
        threshold: float | None = None,
        *,
        target_fmr: float | None = None,
        engine: str | None = None,
        pipeline: Pipeline | None = None,
    ) -> None:
        self.pipeline = pipeline or open_pipeline(load_settings(engine=engine), embedder)
        if threshold is not None and target_fmr is not None:
            raise UsageError("give a threshold or a target_fmr, not both")
        self.enrollment: Enrollment = enroll_photos(_photos(images), self.pipeline)
        self._target_fmr = target_fmr
        self._own_threshold = (
            None
            if threshold is None
            else Threshold(threshold, self.pipeline.model.name, "set by the caller")
        )
        photos = len(self.enrollment.template.vectors)
        self._threshold = self._own_threshold or self.pipeline.matcher.threshold_for(
            photos=photos, target_fmr=target_fmr
        )

    @property
    def threshold(self) -> Threshold:
        """Least cosine to accept, before it is fitted to the face at the door.

        A calibrated one is moved by how near the two faces are to a cohort of strangers
        (`Decision.threshold` says by how much); one set by the caller is meant as it is.
        """
        return self._threshold

    @property
    def centre(self) -> FloatArray:
        """Mean direction of the owner's embeddings, (d,) float32 of length one."""
        return centre_of(self.enrollment.template.vectors)

    @property
    def embeddings(self) -> FloatArray:
        """The owner's unit embeddings, (k, d) float32."""
        return np.array(self.enrollment.template.vectors)

    def __call__(self, image: ImageSource) -> Decision:
        """Decide on one photo. No face or several faces: locked, and the reason says so.

        Raises UnreadableImage for a file that is no picture.
        """
        return verify_photo(
            read_image(image),
            self.enrollment.template,
            self.pipeline,
            self._own_threshold,
            target_fmr=self._target_fmr,
        )


def _photos(images: Any) -> Sequence[ImageSource]:
    """A list of photos, whether it was given as a folder, a list, a batch or a single picture."""
    if isinstance(images, (str, os.PathLike)):
        return find_photos([os.fspath(images)])
    if isinstance(images, (list, tuple)) or getattr(images, "ndim", 0) == 4:
        return list(images)
    return [images]
