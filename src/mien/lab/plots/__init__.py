"""Pictures of faces and numbers, saved as PNG files. Nothing else imports matplotlib.

Each function draws on its own figure, never through pyplot, and returns the
path it wrote. Lengths in these files are units of one CSS pixel; the PNG has
`canvas.SCALE` pixels to a unit, so it stays sharp on a dense screen.

Raises (all of them): MissingExtra without matplotlib, UsageError when the path
cannot be written, ValueError for arrays that do not fit together.
"""

from mien.lab.plots.crop_grid import draw_crop_grid
from mien.lab.plots.curves import Curve, draw_det, draw_roc
from mien.lab.plots.heat_map import draw_heat_map
from mien.lab.plots.histogram import draw_score_histogram
from mien.lab.plots.pair_grid import FacePair, draw_pair_grid
from mien.lab.plots.pca_map import draw_pca_map
from mien.lab.plots.probe_card import draw_probe_card
from mien.lab.plots.training import draw_training

__all__ = [
    "Curve",
    "FacePair",
    "draw_crop_grid",
    "draw_det",
    "draw_heat_map",
    "draw_pair_grid",
    "draw_pca_map",
    "draw_probe_card",
    "draw_roc",
    "draw_score_histogram",
    "draw_training",
]
