"""Move square pictures apart so that each can be seen, as little as will do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

ROUNDS = 600
GOLDEN_ANGLE = 2.399963  # turns that never line up: coincident points leave in all directions


def declutter(centres: Points, side: float, width: float, height: float) -> Points:
    """New centres, (n, 2), for squares of this side inside 0..width x 0..height.

    Overlapping squares push each other apart along the shorter way out while a
    weak spring pulls each back to where it belongs; the spring lets go halfway.
    The same input gives the same output. Squares that fill much more than half
    of the room may still overlap.
    """
    wanted = np.asarray(centres, dtype=np.float64)
    turn = np.arange(len(wanted)) * GOLDEN_ANGLE
    nudge = side * 0.02 * np.column_stack([np.cos(turn), np.sin(turn)])
    low = np.full(2, side / 2)
    high = np.maximum(np.array([width, height]) - side / 2, low)
    places = np.clip(wanted + nudge, low, high)
    for at in range(ROUNDS):
        push, overlapping = _push(places, side)
        if at >= ROUNDS // 2 and not overlapping:
            break
        spring = 0.05 * (wanted - places) if at < ROUNDS // 2 else 0.0
        places = np.clip(places + push + spring, low, high)
    return places


def _push(places: Points, side: float) -> tuple[Points, bool]:
    """How far each square moves this round, (n, 2), and whether any pair overlaps."""
    apart = places[:, np.newaxis] - places[np.newaxis]  # (n, n, 2)
    overlap = side - np.abs(apart)
    hit = np.all(overlap > 1e-6, axis=2) & ~np.eye(len(places), dtype=bool)  # (n, n)
    along_y = overlap[..., 1] < overlap[..., 0]
    along = np.stack([~along_y, along_y], axis=2)
    order = np.sign(np.arange(len(places))[:, np.newaxis] - np.arange(len(places)))  # (n, n)
    sign = np.where(apart == 0.0, order[..., np.newaxis], np.sign(apart))
    moves = 0.5 * overlap * sign * along * hit[..., np.newaxis]
    return moves.sum(axis=1), bool(hit.any())
