"""mien: face unlock that you can trust.

`import mien` is cheap: each name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from mien.app.enrollment import EnrolledPhoto, Enrollment
    from mien.app.face_vault import FaceVault, compare, embed, open_vault
    from mien.app.identify import Identification
    from mien.bulk.embed import embed_photos
    from mien.bulk.embedded_photo import EmbeddedPhoto
    from mien.compat.face_unlock import FaceUnlock
    from mien.compat.mtcnn import MTCNN
    from mien.errors import (
        AlreadyEnrolled,
        AnotherFace,
        CameraUnavailable,
        EnrollmentRefused,
        ExitCode,
        KeyUnavailable,
        MienError,
        MissingExtra,
        ModelAltered,
        ModelMismatch,
        ModelMissing,
        ModelUnavailable,
        NoFaceFound,
        NotEnoughEvidence,
        NotEnrolled,
        Outcome,
        SeveralFacesFound,
        TooManyAttempts,
        TrainingRefused,
        UnreadableImage,
        UsageError,
        VaultDamaged,
        WorkerDied,
    )
    from mien.faces.quality.advice import Quality
    from mien.lab.explore.similarity import pca, similarity_matrix
    from mien.matching.score import Score
    from mien.media.image_file import ImageSource, read_image
    from mien.results import Decision, Face, Faces, ModelId, Template, Threshold

__all__ = [
    "MTCNN",
    "AlreadyEnrolled",
    "AnotherFace",
    "CameraUnavailable",
    "Decision",
    "EmbeddedPhoto",
    "EnrolledPhoto",
    "Enrollment",
    "EnrollmentRefused",
    "ExitCode",
    "Face",
    "FaceUnlock",
    "FaceVault",
    "Faces",
    "Identification",
    "ImageSource",
    "KeyUnavailable",
    "MienError",
    "MissingExtra",
    "ModelAltered",
    "ModelId",
    "ModelMismatch",
    "ModelMissing",
    "ModelUnavailable",
    "NoFaceFound",
    "NotEnoughEvidence",
    "NotEnrolled",
    "Outcome",
    "Quality",
    "Score",
    "SeveralFacesFound",
    "Template",
    "Threshold",
    "TooManyAttempts",
    "TrainingRefused",
    "UnreadableImage",
    "UsageError",
    "VaultDamaged",
    "WorkerDied",
    "__version__",
    "compare",
    "embed",
    "embed_photos",
    "open_vault",
    "pca",
    "read_image",
    "similarity_matrix",
]

_MODULE_OF = {
    "AlreadyEnrolled": "mien.errors",
    "CameraUnavailable": "mien.errors",
    "Decision": "mien.results",
    "EmbeddedPhoto": "mien.bulk.embedded_photo",
    "EnrolledPhoto": "mien.app.enrollment",
    "Enrollment": "mien.app.enrollment",
    "AnotherFace": "mien.errors",
    "EnrollmentRefused": "mien.errors",
    "ExitCode": "mien.errors",
    "Face": "mien.results",
    "FaceUnlock": "mien.compat.face_unlock",
    "FaceVault": "mien.app.face_vault",
    "Faces": "mien.results",
    "Identification": "mien.app.identify",
    "ImageSource": "mien.media.image_file",
    "KeyUnavailable": "mien.errors",
    "MTCNN": "mien.compat.mtcnn",
    "MienError": "mien.errors",
    "MissingExtra": "mien.errors",
    "ModelAltered": "mien.errors",
    "ModelId": "mien.results",
    "ModelMismatch": "mien.errors",
    "ModelMissing": "mien.errors",
    "ModelUnavailable": "mien.errors",
    "NoFaceFound": "mien.errors",
    "NotEnoughEvidence": "mien.errors",
    "NotEnrolled": "mien.errors",
    "Outcome": "mien.errors",
    "Quality": "mien.faces.quality.advice",
    "Score": "mien.matching.score",
    "SeveralFacesFound": "mien.errors",
    "Template": "mien.results",
    "Threshold": "mien.results",
    "TooManyAttempts": "mien.errors",
    "TrainingRefused": "mien.errors",
    "UnreadableImage": "mien.errors",
    "UsageError": "mien.errors",
    "VaultDamaged": "mien.errors",
    "WorkerDied": "mien.errors",
    "compare": "mien.app.face_vault",
    "embed": "mien.app.face_vault",
    "embed_photos": "mien.bulk.embed",
    "open_vault": "mien.app.face_vault",
    "pca": "mien.lab.explore.similarity",
    "read_image": "mien.media.image_file",
    "similarity_matrix": "mien.lab.explore.similarity",
}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
