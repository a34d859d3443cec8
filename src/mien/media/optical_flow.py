"""Follow points from one picture to another: Lucas and Kanade's optical flow, by OpenCV.

J. Shi and C. Tomasi, "Good features to track", 1994; J.-Y. Bouguet, "Pyramidal implementation
of the Lucas Kanade feature tracker", 2000.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mien.results import ByteArray

MAX_POINTS = 100
QUALITY = 0.01  # least strength of a corner, as a share of the strongest
SPACING_PX = 5
WINDOW_PX = 21
LEVELS = 4
RETURN_PX = 1.0  # a point that is followed back must end this near to where it began

Grey = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]


def track_points(
    before_rgb: ByteArray, after_rgb: ByteArray, region: npt.NDArray[np.bool_]
) -> tuple[Points, Points]:
    """Corners of a region and where they are in the other picture: (n, 2) each, n may be 0.

    before_rgb, after_rgb: (H, W, 3) uint8. region: (H, W), where to look for corners. Pixels are
    (x, y). Points that do not come back when they are followed in reverse are left out.
    """
    import cv2

    before, after = (_grey(one) for one in (before_rgb, after_rgb))
    corners: Any = cv2.goodFeaturesToTrack
    start = corners(before, MAX_POINTS, QUALITY, SPACING_PX, mask=region.astype(np.uint8))
    if start is None:
        return np.zeros((0, 2)), np.zeros((0, 2))
    end, found = _follow(before, after, start)
    back, found_back = _follow(after, before, end)
    near = np.linalg.norm((back - start).reshape(-1, 2), axis=1) <= RETURN_PX
    kept = near & found & found_back
    ends = (start.reshape(-1, 2)[kept], end.reshape(-1, 2)[kept])
    return ends[0].astype(np.float64), ends[1].astype(np.float64)


def _follow(
    before: Grey, after: Grey, points: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Where (n, 1, 2) points are in the other picture, and (n,) which were found."""
    import cv2

    flow: Any = cv2.calcOpticalFlowPyrLK
    end, found, _ = flow(
        before, after, points, None, winSize=(WINDOW_PX, WINDOW_PX), maxLevel=LEVELS
    )
    return end, found.reshape(-1) == 1


def _grey(image_rgb: ByteArray) -> Grey:
    import cv2

    return np.asarray(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY), np.uint8)
