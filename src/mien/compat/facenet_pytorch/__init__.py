"""facenet-pytorch's public names on mien's detector and weights. Imports torch."""

from mien.compat.facenet_pytorch import training
from mien.compat.facenet_pytorch.detector import MTCNN
from mien.compat.facenet_pytorch.embedder import InceptionResnetV1
from mien.compat.facenet_pytorch.images import (
    extract_face,
    fixed_image_standardization,
    prewhiten,
)

__all__ = [
    "MTCNN",
    "InceptionResnetV1",
    "extract_face",
    "fixed_image_standardization",
    "prewhiten",
    "training",
]
