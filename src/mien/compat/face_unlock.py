"""`FaceUnlock`, the class of the article: made from photos of the owner, it decides on others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

import numpy as np

from mien.app.enroll import enroll_photos
from mien.app.enrollment import Enrollment
from mien.app.face_vault import list_photos
from mien.app.pipeline import Pipeline, open_pipeline
from mien.app.verify import verify_photo
from mien.compat.per_process import PerProcess
from mien.compat.unlock_file import (
    UnlockState,
    decode_state,
    encode_state,
    read_state,
    write_state,
)
from mien.errors import ModelMismatch, UsageError
from mien.media.image_file import ImageSource, read_image
from mien.results import Decision, FloatArray, ModelId, Threshold
from mien.settings import DEFAULT_MODEL, load_settings
from mien.vectors import centre_of


class FaceUnlock:
    """Unlocks for the person on `images`, and for nobody else.

    images: photos of the owner, each a path, bytes, a binary file, a PIL image or an array
    (H, W, 3) uint8 RGB; or one such photo, or one folder. embedder: a model of `mien models`.
    threshold: least cosine, -1..1, to accept. target_fmr: or the share of strangers
    that may pass, 0..1; None is one in ten thousand, where the embedder is calibrated.
    engine: "onnxruntime" or "openvino"; None takes MIEN_ENGINE. pipeline: a loaded one
    to share.

    Can be pickled and used in forked processes: settings and vectors travel, and each process
    opens the models for itself; the file of `save` does the same from one day to the next. Both
    hold the templates in the clear; `mien.open_vault` seals them.
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
        if threshold is not None and target_fmr is not None:
            raise UsageError("give a threshold or a target_fmr, not both")
        opened = pipeline or open_pipeline(load_settings(engine=engine), embedder)
        enrollment = enroll_photos(list_photos(images), opened)
        name = opened.model.name
        own = None if threshold is None else Threshold(threshold, name, "set by the caller")
        self._set_up(opened, enrollment, own, target_fmr, engine)

    def _set_up(
        self,
        pipeline: Pipeline,
        enrollment: Enrollment,
        own_threshold: Threshold | None,
        target_fmr: float | None,
        engine: str | None,
    ) -> None:
        self.enrollment = enrollment
        self._engine = engine
        self._own_threshold, self._target_fmr = own_threshold, target_fmr
        self._threshold = own_threshold or pipeline.matcher.threshold_for(
            photos=len(enrollment.template.vectors), target_fmr=target_fmr
        )
        self.pipeline = pipeline

    def __repr__(self) -> str:
        return (
            f"FaceUnlock(photos={len(self.enrollment.template.vectors)}, "
            f"embedder={self.enrollment.template.model.name!r}, "
            f"threshold={self.threshold.value:.4f})"
        )

    @property
    def pipeline(self) -> Pipeline:
        """The loaded models, of this process."""
        return self._pipeline.get()

    @pipeline.setter
    def pipeline(self, pipeline: Pipeline) -> None:
        model = self.enrollment.template.model
        self._pipeline = PerProcess(partial(_open_model, self._engine, model), pipeline)

    @property
    def threshold(self) -> Threshold:
        """Least cosine to accept, before cohort score normalisation.

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

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the templates and the threshold to a file that only its owner may read.

        The templates are in the clear; keep other people's in a vault. The file appears whole
        or not at all; an earlier one is replaced. UsageError if it cannot be written.
        """
        write_state(path, self._state())

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        engine: str | None = None,
        pipeline: Pipeline | None = None,
    ) -> FaceUnlock:
        """Read a file of `save`. engine, pipeline: as for the class.

        A calibrated threshold is that of the present calibration; one set by the caller stays.
        Raises UsageError if the file cannot be read, VaultDamaged if it is damaged,
        ModelMismatch if the model is another now, ModelMissing and ModelAltered.
        """
        made = cls.__new__(cls)
        made._restore(read_state(path), engine, pipeline)
        return made

    def __getstate__(self) -> tuple[str | None, bytes]:
        return self._engine, encode_state(self._state())

    def __setstate__(self, state: tuple[str | None, bytes]) -> None:
        engine, content = state
        self._restore(decode_state(content, "the pickled FaceUnlock"), engine, None)

    def _state(self) -> UnlockState:
        return UnlockState(
            self.enrollment.template,
            self.threshold,
            self._own_threshold is not None,
            self._target_fmr,
        )

    def _restore(self, state: UnlockState, engine: str | None, pipeline: Pipeline | None) -> None:
        model = state.template.model
        opened = _open_model(engine, model) if pipeline is None else _checked(pipeline, model)
        own = state.threshold if state.set_by_caller else None
        enrollment = Enrollment(state.template, photos=(), skipped=())
        self._set_up(opened, enrollment, own, state.target_fmr, engine)


def _open_model(engine: str | None, model: ModelId) -> Pipeline:
    """Open the models that made a template. ModelMismatch if the embedder is another now."""
    return _checked(open_pipeline(load_settings(engine=engine), model.name), model)


def _checked(pipeline: Pipeline, model: ModelId) -> Pipeline:
    if pipeline.model != model:
        raise ModelMismatch(
            f"the template was made with {model.name} ({model.sha256[:12]}...), and the model is "
            f"{pipeline.model.name} ({pipeline.model.sha256[:12]}...); make it again from photos"
        )
    return pipeline
