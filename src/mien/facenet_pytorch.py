"""facenet-pytorch's names on mien's detector and weights: change one import line.

from mien.facenet_pytorch import MTCNN, InceptionResnetV1
"""

from mien.errors import install_hint

try:
    import torch  # noqa: F401 - imported first, to give a missing torch its own error
except ImportError as error:
    raise ImportError(
        "mien.facenet_pytorch gives torch tensors, and torch is not installed; "
        f"{install_hint('torch')}"
    ) from error

from mien.compat.facenet_pytorch import (
    MTCNN,
    InceptionResnetV1,
    extract_face,
    fixed_image_standardization,
    prewhiten,
    training,
)

__all__ = [
    "MTCNN",
    "InceptionResnetV1",
    "extract_face",
    "fixed_image_standardization",
    "prewhiten",
    "training",
]
