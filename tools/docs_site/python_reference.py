"""The reference of the library: every public name, by its docstring."""

from __future__ import annotations

import mien

HEAD = """# The library

`from mien import ...`: every public name, with shapes, types and errors, from its docstring. Every
error is a `MienError`, one line that says what happened and what to do. How they are used:
[enroll and unlock](../unlock.md).
"""
GROUPS = {
    "A vault of people": (
        "open_vault",
        "FaceVault",
        "Enrollment",
        "EnrolledPhoto",
        "Identification",
    ),
    "Without a vault": ("FaceUnlock", "MTCNN", "compare", "embed", "read_image"),
    "Many photos": ("embed_photos", "EmbeddedPhoto"),
    "Records": (
        "Decision",
        "Face",
        "Faces",
        "Template",
        "Threshold",
        "Score",
        "Quality",
        "ModelId",
    ),
    "Similarities": ("similarity_matrix", "pca"),
    "Outcomes": ("Outcome", "ExitCode"),
}
NO_PAGE = ("__version__", "ImageSource")  # a text, and an alias that `open_vault` describes


def python_reference() -> str:
    """A heading for each group and a block for each name; errors last."""
    named = {name for names in GROUPS.values() for name in names}
    errors = [name for name in mien.__all__ if name not in named and name not in NO_PAGE]
    parts = [HEAD]
    for title, names in {**GROUPS, "Errors": tuple(errors)}.items():
        parts.append(f"## {title}\n")
        parts += [f"::: {_module_of(name)}.{name}\n" for name in names]
    return "\n".join(parts)


def _module_of(name: str) -> str:
    found: str = getattr(mien, name).__module__
    return found
