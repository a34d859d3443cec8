"""Find and embed the face on frame after frame of one stream, following it in between.

A face is followed only from a whole search of the upright frame, and only while it is as sure, and
as far from the border, as a face that needs no second search (`mien.app.face_search`).
"""

from __future__ import annotations

from mien.app.face_search import BORDER_SHARE, SURE_SCORE, FoundFace
from mien.app.pipeline import Pipeline, Probe
from mien.faces.track import FaceTracker
from mien.media.frame import Frame


class FrameSearch:
    """Finds the face at the door on the frames of one camera or film, given in their order."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._tracker = FaceTracker(
            pipeline.cascade.find_at, least_score=SURE_SCORE, border_share=BORDER_SHARE
        )

    def find_face(self, frame: Frame, *, whole: bool) -> FoundFace:
        """The face of the frame. whole: search all of it, as for a frame that may decide.

        Raises NoFaceFound and SeveralFacesFound, the latter only of a whole search.
        """
        image = frame.image_rgb
        followed = None if whole else self._tracker.follow(image, frame.at_s)
        if followed is not None:
            return FoundFace(image, followed, is_followed=True)
        self._tracker.stop()  # a search that fails leaves no face to follow
        found = self._pipeline.find_face(image)
        if found.quarter_turns == 0:
            self._tracker.start(image, frame.at_s, found.face)
        return found

    def embed_probe(self, frame: Frame, *, whole: bool) -> Probe:
        """The same face with its embedding. Raises as `find_face`, and as `Pipeline.crop`."""
        return self._pipeline.embed_found(self.find_face(frame, whole=whole))
