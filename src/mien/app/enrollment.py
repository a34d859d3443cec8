"""The records of an enrollment: the template, its photos, and what would make it better."""

from __future__ import annotations

from mien.app.template_quality import Word, quality_word
from mien.faces.quality.advice import Quality
from mien.records import dataclass, field
from mien.results import Face, Template


@dataclass(frozen=True, slots=True, eq=False)
class EnrolledPhoto:
    """One photo that went into the template.

    leave_one_out: cosine to the centre of the other photos, None for a single one. turned_degrees:
    by how much the photo was turned, counter-clockwise, so that the face is upright. agrees: how
    well it matches the others, None for a single one.
    """

    name: str
    face: Face = field(repr=False)
    quality: Quality
    leave_one_out: float | None
    turned_degrees: int = 0
    agrees: Word | None = None

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do better, and that the photo was turned."""
        if not self.turned_degrees:
            return self.quality.advice
        turned = f"the photo lies on its side; it was turned by {self.turned_degrees} degrees"
        if self.turned_degrees == 180:
            turned = "the photo is upside down; it was turned by 180 degrees"
        return (turned, *self.quality.advice)


@dataclass(frozen=True, slots=True, eq=False)
class Enrollment:
    """A template and how good it is. skipped: (photo, the photo that it repeats).

    expectation: how often the owner will be refused, as a sentence; empty without evidence.
    look_alikes: (user, cosine of the centres) of enrolled people who may be taken for this one.
    closest_stranger: similarity of the nearest of the model's cohort of strangers; margin: how
    far under its threshold that is. None without a cohort. not_compared: why the template was
    not compared with the other enrolled people; empty if it was. strangers: in the cohort.
    left_out: photos of a folder that could not be used, each with the reason.
    """

    template: Template
    photos: tuple[EnrolledPhoto, ...]
    skipped: tuple[tuple[str, str], ...]
    expectation: str = ""
    look_alikes: tuple[tuple[str, float], ...] = ()
    closest_stranger: float | None = None
    margin: float | None = None
    not_compared: str = ""
    strangers: int = 0
    left_out: tuple[str, ...] = ()

    @property
    def advice(self) -> tuple[str, ...]:
        """What would make the template better, a line each."""
        lines = [f"{p.name}: {words}" for p in self.photos for words in p.advice]
        if len(self.template.vectors) == 1:
            lines.append("one photo only; add two to four more in different light")
        lines += [
            f"looks like {user} ({cosine:.3f}), so each may be accepted as the other"
            for user, cosine in self.look_alikes
        ]
        if self.margin is not None and self.margin <= 0:
            lines.append(
                f"one of 400 strangers scores {self.closest_stranger:.3f} and would be"
                " accepted; add photos in different light"
            )
        if self.not_compared:
            lines.append(f"not compared with the other enrolled people: {self.not_compared}")
        return tuple(lines)

    @property
    def word(self) -> Word:
        """How good the template is: good, fair or poor."""
        photos, others = len(self.template.vectors), len(self.look_alikes)
        return quality_word(photos=photos, margin=self.margin, look_alikes=others)

    def to_dict(self, user: str) -> dict[str, object]:
        """For JSON. user: whose template it is. No picture and no embedding is in it."""
        return {
            "outcome": "enrolled",
            "exit_code": 0,
            "user": user,
            "photos_in_template": len(self.template.vectors),
            "quality": self.word,
            "photos": [
                {
                    "photo": p.name,
                    "leave_one_out": p.leave_one_out,
                    "agrees": p.agrees,
                    "advice": [*p.advice],
                }
                for p in self.photos
            ],
            "skipped": [{"photo": photo, "same_as": twin} for photo, twin in self.skipped],
            "left_out": [*self.left_out],
            "advice": list(self.advice),
            "expectation": self.expectation or None,
            "closest_stranger": _rounded(self.closest_stranger),
            "margin": _rounded(self.margin),
            "look_alikes": [
                {"user": other, "similarity": round(cosine, 6)}
                for other, cosine in self.look_alikes
            ],
        }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 6)
