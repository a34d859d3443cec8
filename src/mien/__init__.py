"""mien: face unlock that you can trust.

`import mien` is cheap: each name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mien.compat.face_unlock import FaceUnlock
    from mien.compat.mtcnn import MTCNN
    from mien.errors import ExitCode, MienError
    from mien.lab.explore.similarity import pca, similarity_matrix
    from mien.media.image_file import read_image
    from mien.results import Decision, Face, Faces, Threshold

__all__ = [
    "MTCNN",
    "Decision",
    "ExitCode",
    "Face",
    "FaceUnlock",
    "Faces",
    "MienError",
    "Threshold",
    "__version__",
    "pca",
    "read_image",
    "similarity_matrix",
]

_HOMES = {
    "MTCNN": "mien.compat.mtcnn",
    "Decision": "mien.results",
    "ExitCode": "mien.errors",
    "Face": "mien.results",
    "FaceUnlock": "mien.compat.face_unlock",
    "Faces": "mien.results",
    "MienError": "mien.errors",
    "Threshold": "mien.results",
    "pca": "mien.lab.explore.similarity",
    "read_image": "mien.media.image_file",
    "similarity_matrix": "mien.lab.explore.similarity",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
