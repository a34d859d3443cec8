"""Measure photos a second and the memory of `embed_photos` and `mien bulk embed`.

    python benchmarks/bulk.py PEOPLE_DIR [--photos 300] [--workers 2] [--rounds 3] [--json]

One worker and several take turns on the same photos. The time includes starting the workers and
loading the nets, as in a real run, and the processor time of all processes is given beside it,
because other work on the machine moves it less. `worker_mb` and `parent_mb` are peaks: of a worker
process, which decodes and embeds, and of the process that started it. `mien bulk embed` writes its
shards to a temporary folder, sealed.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from figures import Figures, add_json_option
from mien.media.photo_paths import find_tree_photos

EMBED = "import sys, mien; [*mien.embed_photos(sys.argv[2:], workers=int(sys.argv[1]))]"
CAREFUL = EMBED.replace("))]", "), carefully=True)]")
BULK = (
    "import sys; from mien.cli.main import main;"
    "line = ['bulk', 'embed', sys.argv[2], '--out', sys.argv[3], '--workers', sys.argv[1]];"
    "assert main(line) == 0"
)
PEAK = (
    "import resource, sys; own, its = (resource.getrusage(who).ru_maxrss // 1024"
    " for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN));"
    "print('PEAK', own, its, file=sys.stderr)"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", type=Path)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    add_json_option(parser)
    args = parser.parse_args()
    report = Figures(__file__, as_json=args.json)
    found = find_tree_photos(args.people)
    rows = np.linspace(0, len(found) - 1, min(args.photos, len(found))).round().astype(int)
    photos = [str(found[row]) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        source = _linked(photos, Path(folder) / "people")
        runs = {
            f"{what}, {count} worker{'s' * (count > 1)}": (what, count)
            for what in ("embed_photos", "carefully", "bulk embed")
            for count in (1, args.workers)
        }
        measured: dict[str, list[tuple[float, float, int, int]]] = {name: [] for name in runs}
        for turn in range(args.rounds):
            for name, (what, count) in runs.items():
                out = Path(folder) / f"{turn}-{what}-{count}"
                measured[name].append(_measure(what, count, photos, source, out))
    report.add(photos=len(photos), rounds=args.rounds, load=os.getloadavg()[0])
    for name, turns in measured.items():
        wall_s, cpu_s = (statistics.median(one[at] for one in turns) for at in (0, 1))
        report.add(
            name,
            photos_per_s=len(photos) / wall_s,
            cpu_ms_per_photo=1000 * cpu_s / len(photos),
            parent_mb=max(one[2] for one in turns),
            worker_mb=max(one[3] for one in turns),
        )
    for what in ("embed_photos", "carefully", "bulk embed"):
        one, several = (measured[name] for name, (kind, _) in runs.items() if kind == what)
        ratios = [alone[0] / other[0] for alone, other in zip(one, several, strict=True)]
        report.add(what, workers_ratio=statistics.median(ratios))
    report.end()


def _linked(photos: list[str], folder: Path) -> Path:
    for number, photo in enumerate(photos):
        link = folder / str(number % 100) / f"{number}{Path(photo).suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path(photo).absolute())
    return folder


def _measure(
    what: str, workers: int, photos: list[str], source: Path, out: Path
) -> tuple[float, float, int, int]:
    """Seconds, seconds of processor time, and the peaks of parent and worker in MB."""
    if what == "bulk embed":
        program, arguments = BULK, [str(source), str(out)]
    else:
        program, arguments = EMBED if what == "embed_photos" else CAREFUL, photos
    environ = {**os.environ, "XDG_CONFIG_HOME": str(out.parent / "config")}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-c", f"{program}\n{PEAK}", str(workers), *arguments],
        capture_output=True,
        text=True,
        env=environ,
        check=True,
    )
    wall_s = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peaks = next(line for line in ran.stderr.splitlines() if line.startswith("PEAK")).split()
    return wall_s, cpu_s, int(peaks[1]), int(peaks[2])


if __name__ == "__main__":
    main()
