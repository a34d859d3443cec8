"""Pictures of faces and numbers, saved as PNG files. Nothing else imports matplotlib.

Each function draws on its own figure, never through pyplot, and returns the
path it wrote. Lengths in these files are units of one CSS pixel; the PNG has
`canvas.SCALE` pixels to a unit, so it stays sharp on a dense screen.

Raises (all of them): MissingExtra without matplotlib, UsageError when the path
cannot be written, ValueError for arrays that do not fit together.
"""

from mien.lab.plots.crops import crop_grid
from mien.lab.plots.curves import Curve, det_plot, roc_plot
from mien.lab.plots.heat import heat_map
from mien.lab.plots.histogram import score_histogram
from mien.lab.plots.pairs import FacePair, pair_grid
from mien.lab.plots.probe import probe_card
from mien.lab.plots.scatter import pca_map

__all__ = [
    "Curve",
    "FacePair",
    "crop_grid",
    "det_plot",
    "heat_map",
    "pair_grid",
    "pca_map",
    "probe_card",
    "roc_plot",
    "score_histogram",
]
