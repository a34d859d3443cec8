"""Follow a face from frame to frame, so that not every frame is searched whole.

On the next frame the last network of the cascade looks at the place of the last face alone. That
is enough while the face moves little and nothing else comes; `FaceTracker.follow` says when it is
not. Nothing but the box is carried from one frame to the next: the points, the score and whatever
is decided on are those of the frame itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mien.faces.surroundings import Surroundings
from mien.results import ByteArray, Face, FloatArray

FindAt = Callable[[ByteArray, FloatArray], "Face | None"]
"""The face of a frame at the place of a box, or None: `Cascade.find_at`."""

WHOLE_SEARCH_S = 0.5  # of the frames' own time, between two whole searches
MAX_FOLLOWED = 15  # frames in a row, for frames whose time hardly moves: 0.5 s of 30 a second
MAX_MOVE_SHARE = 0.15  # of the face's height, for each edge of the box: O-Net corrects no more
LEAST_HEIGHT_PX = 44.0  # a tenth more than the smallest face that is decided on


class FaceTracker:
    """Follows one face through one stream of frames, from whole search to whole search.

    find_at: looks at the place of the last face. least_score: 0..1, below which a face is not
    followed. border_share: of its height, the least distance of its box to the border.
    """

    def __init__(self, find_at: FindAt, *, least_score: float, border_share: float) -> None:
        self._find_at = find_at
        self._least_score, self._border_share = least_score, border_share
        self._last: Face | None = None
        self._last_s = self._searched_s = math.nan
        self._followed = 0

    def start(self, image_rgb: ByteArray, at_s: float, face: Face) -> None:
        """Take the face that a whole search found on (H, W, 3) uint8. at_s: seconds, its time."""
        self._last = face
        self._last_s = self._searched_s = at_s
        self._followed = 0
        self._surroundings = Surroundings(image_rgb, face)

    def stop(self) -> None:
        """Follow no face until the next `start`."""
        self._last = None

    def follow(self, image_rgb: ByteArray, at_s: float) -> Face | None:
        """The face on the next frame, or None if the frame is to be searched whole.

        None where no face is followed; `WHOLE_SEARCH_S`, or `MAX_FOLLOWED` frames, after the last
        whole search; where the time is not later than that of the frame before; where the
        surroundings changed as if a second face had come; and for a face that is unsure, small, at
        the border, or far from the last one. After None no face is followed.
        """
        last, self._last = self._last, None
        if last is None or not self._is_in_time(at_s):
            return None
        if self._surroundings.may_show_rival(image_rgb, last):
            return None
        face = self._find_at(image_rgb, last.box_xyxy)
        if face is None or not self._is_trusted(face, last, image_rgb):
            return None
        self._last, self._last_s = face, at_s
        self._followed += 1
        return face

    def _is_in_time(self, at_s: float) -> bool:
        # false for a time that is not a number
        in_time = at_s > self._last_s and at_s - self._searched_s < WHOLE_SEARCH_S
        return in_time and self._followed < MAX_FOLLOWED

    def _is_trusted(self, face: Face, last: Face, image_rgb: ByteArray) -> bool:
        height, width = image_rgb.shape[:2]
        left, top, right, bottom = (float(edge) for edge in face.box_xyxy)
        moved = float(np.abs(face.box_xyxy - last.box_xyxy).max())
        distance = min(left, top, width - right, height - bottom)
        return (
            face.score >= self._least_score
            and face.height_px >= LEAST_HEIGHT_PX
            and moved <= MAX_MOVE_SHARE * last.height_px
            and distance >= self._border_share * face.height_px
        )
