"""Compare the face that `largest` finds with the largest face of `all`, for folders of pictures.

    python benchmarks/agreement.py FOLDER [FOLDER ...]

Two results agree if both have no face, or if their largest faces by area overlap with an IoU above
0.5. The difference of the points is that of the farthest of the five, in eye distances.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mien.app.pipeline import open_cascade
from mien.faces.geometry import box_areas, suppress_by_union
from mien.media.image_file import read_image
from mien.results import Face, Faces
from mien.settings import load_settings


def main() -> None:
    cascade = open_cascade(load_settings())
    for folder in sys.argv[1:]:
        files = sorted(path for path in Path(folder).rglob("*.jpg"))
        seconds = {"all": 0.0, "largest": 0.0}
        same, shifts, missed = 0, [], []
        for file in tqdm(files, disable=not sys.stderr.isatty()):
            image = read_image(file)
            found = {}
            for search in ("all", "largest"):
                started = time.perf_counter()
                found[search] = cascade.find(image, search)  # type: ignore[arg-type]
                seconds[search] += time.perf_counter() - started
            ours, reference = largest(found["largest"]), largest(found["all"])
            if ours is None or reference is None:
                same += ours is reference
            elif overlap(ours, reference):
                same += 1
                apart = np.linalg.norm(ours.points_xy - reference.points_xy, axis=1).max()
                shifts.append(apart / reference.eye_distance_px)
                continue
            if ours is not reference:
                missed.append(file.name)
        apart = np.array(shifts)
        print(
            f"{folder}: {len(files)} pictures, the same face in {same} ({same / len(files):.3%}); "
            f"points within 2 % of the eye distance in {np.mean(apart <= 0.02):.3%} of those, "
            f"identical in {np.mean(apart == 0):.3%}, 99.9th percentile "
            f"{np.percentile(apart, 99.9):.4f}, worst {apart.max():.4f}; "
            f"all {seconds['all']:.1f} s, largest {seconds['largest']:.1f} s"
        )
        print("different:", ", ".join(missed) or "none")


def overlap(a: Face, b: Face) -> bool:
    """Whether the boxes overlap with an intersection over union above 0.5."""
    boxes = np.stack([a.box_xyxy, b.box_xyxy])
    return len(suppress_by_union(boxes, np.array([1, 0], np.float32), 0.5)) == 1


def largest(faces: Faces) -> Face | None:
    return faces[int(np.argmax(box_areas(faces.boxes_xyxy)))] if len(faces) else None


if __name__ == "__main__":
    main()
