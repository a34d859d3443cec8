"""The two photographs that come with mien."""

from __future__ import annotations

import hashlib

from mien.lab.demo.shipped_photos import shipped_photo


def test_the_photographs_have_the_pixels_of_those_in_scikit_image() -> None:
    digests = [
        hashlib.sha256(shipped_photo(name).tobytes()).hexdigest() for name in ("astronaut", "cat")
    ]
    assert digests == [
        "a8c429c18afa7b0fd5673e598d73a21225d94c864a71bbb3885126fdecb41071",
        "416b729128bfb2c3d1eb69bf9b1734a796293abc17939267b2dc94f8a5784031",
    ]
