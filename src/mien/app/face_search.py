"""Find the face at the door on photos that lie on their side, and on those cut close to the face.

A detector trained on upright faces finds turned ones too, with wrong points, and embeddings of such
crops resemble each other whoever they show. So the four quarter turns of a photo are searched
when its face is not sure, and the turn with the surest face is used. A face that touches the
border is searched once more with a black margin, without which its points are misplaced.
docs/quality.md has the measurements.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mien.errors import NoFaceFound, SeveralFacesFound
from mien.faces.geometry import cut_around
from mien.media.pixels import shrink_to
from mien.records import dataclass, field
from mien.results import ByteArray, Face

FindFace = Callable[[ByteArray], Face]
"""Finds the face of (H, W, 3) uint8 RGB. Raises NoFaceFound or SeveralFacesFound."""

SURE_SCORE = 0.984  # every upright face of 900 photos of LFW reached it, and 1 in 10 turned ones
SURE_TO_ENROLL = 0.9995  # nine in ten upright faces reach it, and no turned one of 700 photos
SURELY_ALONE = 0.9975  # below it, several faces on a turn mean that the photo is of several people
MAX_TURNED_PIXELS = 160_000  # of the picture on which turns are compared: bounds their cost
LARGE_FROM_PIXELS = 1_000_000  # a face that is small on such a photo may be lost in the small one
MAX_TURNED_PIXELS_AGAIN = 1_000_000
BORDER_SHARE = 0.02  # of the box's height: nearer to the border, the points may be misplaced
MARGIN_SHARE = 0.4  # of the box's height, black


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """The face at the door.

    image_rgb: the photo, turned by `quarter_turns` counter-clockwise, (H, W, 3) uint8.
    face: in pixels of `image_rgb`. is_followed: from the frame before, without a whole search.
    """

    image_rgb: ByteArray = field(repr=False)
    face: Face
    quarter_turns: int = 0
    is_followed: bool = False

    @property
    def overhang(self) -> float:
        """How far the box reaches over the border, in shares of its height; negative inside."""
        return -_distance_to_border(self.image_rgb, self.face) / max(self.face.height_px, 1e-6)

    @property
    def face_as_read(self) -> Face:
        """The face in pixels of the photo before it was turned."""
        face, (height, width) = self.face, self.image_rgb.shape[:2]
        for _ in range(self.quarter_turns):
            face, height, width = _turn_clockwise(face, height), width, height
        return face


def find_upright(image_rgb: ByteArray, find: FindFace, *, carefully: bool = False) -> FoundFace:
    """The face of the photo, or of the quarter turn of it on which the detector is surest.

    The turns are searched only where the photo has no face of `SURE_SCORE`. carefully: of
    `SURE_TO_ENROLL`, and SeveralFacesFound for an unsure face where a turn shows several. Raises
    what find does.
    """
    sure = SURE_TO_ENROLL if carefully else SURE_SCORE
    face: Face | None = None
    try:
        face = find(image_rgb)
    except NoFaceFound:
        turns = _surest_turn(image_rgb, 0.0, find, may_be_several=carefully)
        if turns == 0:
            raise
    else:
        turns = 0
        if face.score < sure:  # on a large photo, the turns are told around the face
            side = max(face.width_px, face.height_px)
            around = cut_around(image_rgb, face, side)
            may_be_several = carefully and face.score < SURELY_ALONE
            turns = _surest_turn(around, face.score, find, may_be_several=may_be_several)
    if turns:
        turned = np.ascontiguousarray(np.rot90(image_rgb, turns))
        try:
            return FoundFace(turned, find_near_border(turned, find(turned), find), turns)
        except (NoFaceFound, SeveralFacesFound):
            if face is None:
                raise
    assert face is not None
    return FoundFace(image_rgb, find_near_border(image_rgb, face, find))


def find_near_border(image_rgb: ByteArray, face: Face, find: FindFace) -> Face:
    """The same face, searched again with a black margin if it is close to the border."""
    if _distance_to_border(image_rgb, face) >= BORDER_SHARE * face.height_px:
        return face
    margin = int(MARGIN_SHARE * min(face.height_px, max(image_rgb.shape[:2])))
    padded = np.pad(image_rgb, ((margin, margin), (margin, margin), (0, 0)))
    try:
        found = find(padded)
    except (NoFaceFound, SeveralFacesFound):
        return face
    shift = np.float32(margin)
    again = Face(found.box_xyxy - shift, found.points_xy - shift, found.score)
    middle, other = (one.box_xyxy[:2] + one.box_xyxy[2:] for one in (face, again))
    if float(np.hypot(*(middle - other))) > face.height_px:  # twice the distance: another face
        return face
    return again


def _surest_turn(
    image_rgb: ByteArray, score: float, find: FindFace, *, may_be_several: bool
) -> int:
    """Which of the turns 1, 2, 3 has the face with the highest score above `score`; else 0.

    A large photo in which a small one of it shows none is searched once more, less shrunk.
    may_be_several: raise SeveralFacesFound if a turn shows several.
    """
    best = 0
    for most_pixels in (MAX_TURNED_PIXELS, MAX_TURNED_PIXELS_AGAIN):
        small = shrink_to(image_rgb, most_pixels)
        best = _surest_turn_of(small, score, find, may_be_several=may_be_several)
        if best or image_rgb.shape[0] * image_rgb.shape[1] <= LARGE_FROM_PIXELS:
            break
    return best


def _surest_turn_of(
    image_rgb: ByteArray, score: float, find: FindFace, *, may_be_several: bool
) -> int:
    best = 0
    for turns in (1, 2, 3):
        try:
            found = find(np.ascontiguousarray(np.rot90(image_rgb, turns)))
        except NoFaceFound:
            continue
        except SeveralFacesFound:
            if may_be_several:
                raise
            continue
        if found.score > score:
            best, score = turns, found.score
    return best


def _distance_to_border(image_rgb: ByteArray, face: Face) -> float:
    """The least distance of a side of the box to that of the image, pixels; negative outside."""
    height, width = image_rgb.shape[:2]
    left, top, right, bottom = (float(edge) for edge in face.box_xyxy)
    return float(min(left, top, width - right, height - bottom))


def _turn_clockwise(face: Face, height: int) -> Face:
    """A face on an image of that height, on the image turned clockwise by a quarter."""
    left, top, right, bottom = face.box_xyxy
    box = np.array([height - bottom, left, height - top, right], np.float32)
    points = np.stack([height - face.points_xy[:, 1], face.points_xy[:, 0]], axis=1)
    return Face(box, points.astype(np.float32), face.score)
