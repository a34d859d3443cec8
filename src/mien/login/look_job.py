"""What the daemon asks its worker to look for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LookJob:
    """record_name: of the template. is_strong: a passive look of a colour camera is not enough.

    is_infrared: the camera and the template are infrared.
    """

    record_name: str
    is_strong: bool
    is_infrared: bool
