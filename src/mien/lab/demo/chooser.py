"""A chooser for notebooks: pick a photo, see whether the door opens for it.

It fails closed like every door of mien: the lock is shut before a photo is looked at, and
only a decision opens it. The one place that imports ipywidgets.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.compat.face_unlock import FaceUnlock
from mien.errors import MienError, UsageError, missing_extra
from mien.lab.names import shown_name
from mien.lab.plots import probe_card
from mien.lab.plots.style import LOCKED, UNLOCKED
from mien.media.image_file import read_image
from mien.media.photo_paths import find_photos
from mien.results import ByteArray, Decision

if TYPE_CHECKING:
    import ipywidgets

NO_PHOTO = np.full((100, 320, 3), 214, np.uint8)  # stands in for a photo that cannot be shown
NO_PHOTO.flags.writeable = False


def probe_chooser(
    photos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], unlock: FaceUnlock
) -> ipywidgets.VBox:
    """A list of photos to pick from; under it the lock, in words, and the photo with its gauge.

    photos: a folder, or paths. A photo that cannot be read stays in the list: picked, it
    shows the shut lock and why.

    Raises MissingExtra without ipywidgets or matplotlib, UsageError for no photo at all.
    """
    widgets = _ipywidgets()
    paths = _paths(photos)
    choice = widgets.Dropdown(
        options=list(zip(_labels(paths), paths, strict=True)),
        description="photo",
        layout=widgets.Layout(width="min(100%, 548px)"),
    )
    verdict = widgets.HTML()
    card = widgets.Image(format="png", layout=widgets.Layout(max_width="548px"))

    def show(change: dict[str, Any]) -> None:
        path = change["new"]
        name = shown_name(path.name)
        # shut first: whatever happens below, the yes of the last photo must not stay
        verdict.value = _line(name, "locked", "not decided yet", LOCKED)
        card.value = b""
        image, decision = try_photo(path, unlock)
        card.value = _drawn(image, decision, name)
        verdict.value = _verdict(decision, name)

    choice.observe(show, names="value")
    show({"new": choice.value})
    return widgets.VBox([choice, verdict, card])


def try_photo(path: str | os.PathLike[str], unlock: FaceUnlock) -> tuple[ByteArray, Decision]:
    """The photo, (h, w, 3) uint8 RGB, and what the door says; the error of a bad one says no.

    For a photo that cannot be read, the first is `NO_PHOTO`.
    """
    image = NO_PHOTO
    try:
        image = read_image(path)
        return image, unlock(image)
    except MienError as error:
        return image, Decision(math.nan, unlock.threshold, str(error), error.exit_code)


def _ipywidgets() -> Any:
    try:
        import ipywidgets
    except ImportError as error:
        raise missing_extra("the chooser needs ipywidgets", "notebook") from error
    return ipywidgets


def _paths(photos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    if isinstance(photos, (str, os.PathLike)):
        return find_photos([os.fspath(photos)])
    if not photos:
        raise UsageError("no photo to choose from; give a folder or paths")
    return [Path(photo) for photo in photos]


def _labels(paths: Sequence[Path]) -> list[str]:
    """File names; where two are the same, the whole path, so that the list tells them apart."""
    names = [shown_name(path.name) for path in paths]
    count = Counter(names)
    return [
        shown_name(str(path)) if count[name] > 1 else name
        for path, name in zip(paths, names, strict=True)
    ]


def _drawn(image: ByteArray, decision: Decision, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return probe_card(image, decision, name, Path(folder, "card.png")).read_bytes()


def _verdict(decision: Decision, name: str) -> str:
    """The same as the picture says, in words that can be read aloud and copied."""
    known = math.isfinite(decision.similarity)
    similarity = f"similarity {decision.similarity:.3f}" if known else "no similarity"
    return _line(
        name,
        "unlocked" if decision else "locked",
        f"{similarity}, threshold {decision.threshold.value:.3f}; {decision.reason}",
        UNLOCKED if decision else LOCKED,
    )


def _line(name: str, state: str, details: str, colour: str) -> str:
    return (
        f'<div role="status"><b style="color:{colour}">{escape(name)}: {state}</b> '
        f"({escape(details)})</div>"
    )
