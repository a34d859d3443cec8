"""A chooser for notebooks: pick a photo and see whether it unlocks.

It fails closed: the lock is shown shut before a photo is read, and only a decision opens
it. The one place that imports ipywidgets.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mien.errors import MienError, UsageError, missing_extra
from mien.lab.labels import display_name
from mien.lab.plots import draw_probe_card
from mien.lab.plots.style import LOCKED, UNLOCKED
from mien.media.image_file import read_image
from mien.media.photo_paths import find_photos
from mien.results import ByteArray, Decision, Threshold

if TYPE_CHECKING:
    import ipywidgets

NO_PHOTO = np.full((100, 320, 3), 214, np.uint8)  # stands in for a photo that cannot be shown
NO_PHOTO.flags.writeable = False


class PhotoUnlock(Protocol):
    """What decides on a photo, such as `mien.FaceUnlock`."""

    @property
    def threshold(self) -> Threshold:
        """Least similarity to accept."""
        ...

    def __call__(self, image: ByteArray, /) -> Decision:
        """Decide on (h, w, 3) uint8 RGB. Raises a MienError where it cannot."""
        ...


def probe_chooser(
    photos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], unlock: PhotoUnlock
) -> ipywidgets.VBox:
    """A list of photos to pick from; under it the decision in words, and the photo with its gauge.

    photos: a folder, or paths. A photo that cannot be read stays in the list: when picked,
    it shows the shut lock and the reason.

    Raises MissingExtra without ipywidgets or matplotlib, UsageError for no photo at all.
    """
    widgets = _import_ipywidgets()
    paths = _list_photos(photos)
    choice = widgets.Dropdown(
        options=list(zip(_photo_labels(paths), paths, strict=True)),
        description="photo",
        layout=widgets.Layout(width="min(100%, 548px)"),
    )
    verdict = widgets.HTML()
    card = widgets.Image(format="png", layout=widgets.Layout(max_width="548px"))

    def show(change: dict[str, Any]) -> None:
        path = change["new"]
        name = display_name(path.name)
        # locked first: whatever fails below, the decision on the last photo must not stay
        verdict.value = _status_line(name, "locked", "not decided yet", LOCKED)
        card.value = b""
        image, decision = try_photo(path, unlock)
        card.value = _draw_card(image, decision, name)
        verdict.value = _describe(decision, name)

    choice.observe(show, names="value")
    show({"new": choice.value})
    return widgets.VBox([choice, verdict, card])


def try_photo(path: str | os.PathLike[str], unlock: PhotoUnlock) -> tuple[ByteArray, Decision]:
    """The photo, (h, w, 3) uint8 RGB, and the decision on it; an error is a refusal.

    For a photo that cannot be read, the first is `NO_PHOTO`.
    """
    image = NO_PHOTO
    try:
        image = read_image(path)
        return image, unlock(image)
    except MienError as error:
        return image, Decision(math.nan, unlock.threshold, str(error), error.outcome)


def _import_ipywidgets() -> Any:
    try:
        import ipywidgets
    except ImportError as error:
        raise missing_extra("the chooser needs ipywidgets", "notebook") from error
    return ipywidgets


def _list_photos(photos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    if isinstance(photos, (str, os.PathLike)):
        return find_photos([os.fspath(photos)])
    if not photos:
        raise UsageError("no photo to choose from; give a folder or paths")
    return [Path(photo) for photo in photos]


def _photo_labels(paths: Sequence[Path]) -> list[str]:
    """File names; whole paths where two names are the same."""
    names = [display_name(path.name) for path in paths]
    count = Counter(names)
    return [
        display_name(str(path)) if count[name] > 1 else name
        for path, name in zip(paths, names, strict=True)
    ]


def _draw_card(image: ByteArray, decision: Decision, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return draw_probe_card(image, decision, name, Path(folder, "card.png")).read_bytes()


def _describe(decision: Decision, name: str) -> str:
    """What the picture shows, as text that can be read aloud and copied."""
    known = math.isfinite(decision.similarity)
    similarity = f"similarity {decision.similarity:.3f}" if known else "no similarity"
    return _status_line(
        name,
        "unlocked" if decision else "locked",
        f"{similarity}, threshold {decision.threshold.value:.3f}; {decision.reason}",
        UNLOCKED if decision else LOCKED,
    )


def _status_line(name: str, state: str, details: str, colour: str) -> str:
    return (
        f'<div role="status"><b style="color:{colour}">{escape(name)}: {state}</b> '
        f"({escape(details)})</div>"
    )
