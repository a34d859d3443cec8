"""Compare the face that `largest` finds with the largest face of `all`, for folders of pictures.

    python benchmarks/agreement.py FOLDER [FOLDER ...] [--json]

Two results agree if both have no face, or if their largest faces by area overlap with an IoU above
0.5. The difference of the points is that of the farthest of the five, in eye distances.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from figures import Figures, add_json_option
from mien.app.pipeline import open_cascade
from mien.faces.geometry import box_areas, suppress_by_union
from mien.media.image_file import read_image
from mien.results import Face, Faces
from mien.settings import load_settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path)
    add_json_option(parser)
    args = parser.parse_args()
    report = Figures(__file__, as_json=args.json)
    cascade = open_cascade(load_settings())
    different: dict[str, list[str]] = {}
    for folder in args.folders:
        files = sorted(folder.rglob("*.jpg"))
        if not files:
            sys.exit(f"{folder}: no .jpg pictures")
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
        apart = np.array(shifts or [0.0])
        report.add_all(
            {
                f"{folder}, {name}": figure
                for name, figure in {
                    "pictures": len(files),
                    "same_face": same,
                    "share_of_same_face": same / len(files),
                    "share_of_points_within_2_percent": float(np.mean(apart <= 0.02)),
                    "share_of_points_identical": float(np.mean(apart == 0)),
                    "points_99_9th_percentile": float(np.percentile(apart, 99.9)),
                    "points_worst": float(apart.max()),
                    "all_s": seconds["all"],
                    "largest_s": seconds["largest"],
                }.items()
            }
        )
        different[str(folder)] = missed
        report.say(f"different: {', '.join(missed) or 'none'}")
    report.end(different=different)


def overlap(a: Face, b: Face) -> bool:
    """Whether the boxes overlap with an intersection over union above 0.5."""
    boxes = np.stack([a.box_xyxy, b.box_xyxy])
    return len(suppress_by_union(boxes, np.array([1, 0], np.float32), 0.5)) == 1


def largest(faces: Faces) -> Face | None:
    return faces[int(np.argmax(box_areas(faces.boxes_xyxy)))] if len(faces) else None


if __name__ == "__main__":
    main()
