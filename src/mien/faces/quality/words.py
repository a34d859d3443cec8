"""Say what is wrong with a photo, and what to do."""

from __future__ import annotations

from mien.faces.quality.advice import MAX_BRIGHTNESS, MIN_BRIGHTNESS, Quality
from mien.faces.quality.gate import Assessment

MAX_ROLL_DEGREES = 60.0  # the warp levels a face up to 45 degrees without a loss
MAX_OVERHANG = 0.06  # of the height; see docs/quality.md

TURNED = "the photo is turned: turn it so that the head is upright"
CUT_OFF = "the face is cut off: step back so that the whole head is in the picture"
DARK = "too dark: take the photo in more light"
BRIGHT = "over-exposed: step out of the direct light"
BLURRED = "blurred: hold still and clean the lens, or send the original photo"
NOISY = "too noisy: take the photo in more light"
FLAT = "too little contrast: find more even, stronger light"
COMPRESSED = "too compressed, or covered: send the original photo, and uncover the face"
COVERED = (
    "a part of the face is covered or in the dark: uncover the face, with light from the front"
)
EYES = "the eyes cannot be seen: take off what covers them, and face the light"
UNSURE = "hardly a face to the model: look into the camera, upright, with the face uncovered"
SHAKEN = "shaken, or partly covered: hold still, uncover the face, and send the original photo"
SHARPENED = "sharpened too strongly, or too noisy: send the original photo"
STRETCHED = "the photo is stretched: send the original photo"

WORDS = {
    "fine_detail-": BLURRED,
    "coarse_ratio-": NOISY,
    "noise_ratio+": NOISY,
    "smoothest_blocks+": NOISY,
    "direction+": BLURRED,
    "block_contrast-": FLAT,
    "flat_blocks+": COMPRESSED,
    "smooth_blocks+": COMPRESSED,
    "uneven_sides+": COVERED,
    "eye_contrast-": EYES,
    "eye_tone-": EYES,
    "eye_tone+": EYES,
    "gradient_coherence+": SHAKEN,
    "radial_detail-": SHAKEN,
    "radial_detail+": SHAKEN,
    "cepstral_peak+": SHAKEN,
    "cepstral_near_peak+": BLURRED,
    "detail_kurtosis+": COMPRESSED,
    "colour_detail+": SHARPENED,
    "aspect-": STRETCHED,
    "aspect+": STRETCHED,
}
"""What a measure of the gate says when it speaks most against a photo; else `UNSURE`."""

DEPENDS_ON_LIGHT = (FLAT, COMPRESSED, COVERED)


def describe_faults(
    quality: Quality, overhang: float, assessment: Assessment | None
) -> tuple[str, ...]:
    """What puts a photo outside the calibrated quality, the most important first; or nothing.

    overhang: by how much the face's box reaches over the photo's border, in shares of its
    height. assessment: None for an embedder without a gate.
    """
    faults = []
    if abs(quality.tilt_degrees) > MAX_ROLL_DEGREES:
        faults.append(TURNED)
    if overhang > MAX_OVERHANG:
        faults.append(CUT_OFF)
    if assessment is not None and not assessment.is_calibrated:
        faults.append(_by_light(WORDS.get(assessment.main_measure, UNSURE), quality))
    return tuple(faults)


def _by_light(words: str, quality: Quality) -> str:
    """Blame the light, where it is what flattens the picture."""
    if words in DEPENDS_ON_LIGHT and quality.brightness < MIN_BRIGHTNESS:
        return DARK
    if words in DEPENDS_ON_LIGHT and quality.brightness > MAX_BRIGHTNESS:
        return BRIGHT
    return words
