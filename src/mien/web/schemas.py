"""What the service responds with: each response is made as one of these models and validated.

The same models are the schemas in the service's OpenAPI description.
"""

# no postponed annotations here: pydantic reads them

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_NAME = 256  # characters of a name in a request; check_user_name decides what a name may be

Point = list[float]


class StrictModel(BaseModel):
    """A model that allows no further fields."""

    model_config = ConfigDict(extra="forbid")


class OutcomeModel(StrictModel):
    """A response with an outcome; the log of the service records it, too."""

    outcome: str = Field(examples=["usage"])


class Error(OutcomeModel):
    """Why nothing was done, in one line. exit_code: the command line's, if it has one."""

    error: str = Field(examples=["missing or invalid in the request: photo"])
    exit_code: int | None = Field(default=None, examples=[2])
    kind: Literal["already_enrolled", "another_face"] | None = Field(
        default=None, description="what a client should ask its user about, with a mode for each"
    )


class FacePlace(StrictModel):
    """Where the face is, in pixels of the photo."""

    box_xyxy: list[float] = Field(min_length=4, max_length=4)
    points_xy: list[Point] = Field(min_length=5, max_length=5)


class Face(StrictModel):
    """Where the face is, in pixels of the photo, and how sure the detector is."""

    box_xyxy: list[float] = Field(min_length=4, max_length=4, examples=[[102.1, 80.4, 240.0, 260]])
    points_xy: list[Point] = Field(min_length=5, max_length=5, description="eyes, nose, mouth")
    score: float = Field(ge=0, le=1, description="higher is more certain")


class Decision(OutcomeModel):
    """Accepted or refused. The fields after `reason` need scope enroll or admin."""

    outcome: Literal["unlocked", "not_the_owner", "no_face", "several_faces"] = Field(
        examples=["unlocked"]
    )
    exit_code: int = Field(examples=[0])
    reason: str = Field(examples=["the same person"])
    similarity: float | None = Field(
        default=None, examples=[0.71], description="higher is more alike"
    )
    threshold: float | None = Field(default=None, examples=[0.42])
    model: str | None = Field(default=None, examples=["sface"])
    calibration: str | None = Field(default=None, description="of one's own; null if shipped")
    odds: str | None = Field(default=None, description="how often a stranger scores this high")
    faults: list[str] | None = Field(
        default=None, description="what puts a photo outside the quality that the odds hold for"
    )
    face: Face | None = None


class Liveness(StrictModel):
    """What was checked for a living person. score: higher is more alive."""

    tier: Literal["casual", "print-proof"]
    score: float | None
    threshold: float
    frames: int
    challenge: str | None = Field(default=None, examples=["passed"])
    motion: str = Field(default="", examples=["passed"])
    refused_by: str = Field(default="", examples=["wrong_way"])


class ChallengeStart(OutcomeModel):
    """nonce: for the frames of this name, once. valid_s: until the first frame."""

    outcome: Literal["challenge"]
    nonce: str
    instruction: str = Field(examples=["face the camera"])
    valid_s: float


class ChallengeFrame(Decision):
    """The next instruction, while `outcome` is "challenge"; then the decision."""

    outcome: Literal[  # type: ignore[assignment]
        "challenge", "unlocked", "not_the_owner", "not_live", "no_face", "several_faces"
    ]
    exit_code: int | None = None  # type: ignore[assignment]
    reason: str | None = None  # type: ignore[assignment]
    instruction: str | None = Field(default=None, examples=["turn your head to your left"])
    liveness: Liveness | None = None


class Identification(Decision):
    """user: who it is; null if nobody matches. also: others who match; for enroll and admin."""

    user: str | None = Field(examples=["anna"])
    also: list[str] = Field(default=[], examples=[["bob"]])


class PhotoAdvice(OutcomeModel):
    """advice: what would make the photo better; empty if nothing would."""

    outcome: Literal["found", "no_face", "several_faces"]
    advice: list[str] = Field(examples=[["too dark: face a light"]])
    face: FacePlace | None
    faces: list[FacePlace] = Field(
        default=[], description="those of similar size, where there are several"
    )
    turn: float | None = Field(
        default=None,
        description="how far the nose is from the middle of the eyes, in distances of the eyes:"
        " 0 is frontal, negative to the viewer's left",
    )
    brightness: float | None = Field(default=None, description="of the face, 0 to 255")
    eye_distance_px: float | None = None
    width: int
    height: int


class LookAlike(StrictModel):
    """Another enrolled person who looks like this one."""

    user: str
    similarity: float


Quality = Literal["good", "fair", "poor"]
"""Of a template: poor may accept somebody else; fair would be better with more photos."""


class PastUnlock(StrictModel):
    """An attempt that unlocked."""

    at: str = Field(examples=["2026-01-31T12:00:00+00:00"])
    similarity: float


class Person(StrictModel):
    """The fields after `marked` are known for templates of the model in use."""

    user: str = Field(examples=["anna"])
    enrolled: str = Field(examples=["2026-01-31T12:00:00+00:00"])
    model: str = Field(examples=["sface"])
    unlocks: list[PastUnlock] = Field(default=[], description="the last 30, oldest first")
    picture: str | None = Field(
        default=None, description="a data URL of the face, if the person wanted one to be kept"
    )
    follows: bool = Field(default=False, description="the template may learn from unlocks")
    learned: list[str] = Field(
        default=[], description="when what it learned was seen, newest first"
    )
    marked: list[str] = Field(
        default=[], description="unlocks that were marked as somebody else's, newest first"
    )
    photos: int = Field(default=0, examples=[3])
    quality: Quality | None = None
    threshold: float | None = Field(default=None, description="of this template")
    agreement: float | None = Field(
        default=None, description="the lowest similarity of one photo to the others"
    )
    margin: float | None = Field(
        default=None, description="how far the most similar stranger stays below the threshold"
    )
    expectation: str | None = None
    look_alikes: list[LookAlike] = []


class People(OutcomeModel):
    """Who is enrolled, by name. more: there are others; ask again with `after` the last name."""

    outcome: Literal["listed"]
    exit_code: int
    people: list[Person]
    more: bool = Field(examples=[False])


class EnrolledPhoto(StrictModel):
    """leave_one_out: its similarity to the other photos, and agrees: that as a word; null for a
    single photo."""

    photo: str
    leave_one_out: float | None
    agrees: Quality | None
    advice: list[str]


class SkippedPhoto(StrictModel):
    """A photo that is nearly the same as another one."""

    photo: str
    same_as: str


class Enrollment(OutcomeModel):
    """The stored template, and how good it is."""

    outcome: Literal["enrolled"]
    exit_code: int
    user: str = Field(examples=["anna"])
    photos_in_template: int = Field(examples=[3])
    quality: Quality = Field(examples=["good"])
    photos: list[EnrolledPhoto]
    skipped: list[SkippedPhoto]
    left_out: list[str]
    advice: list[str]
    expectation: str | None
    closest_stranger: float | None
    margin: float | None
    look_alikes: list[LookAlike]


class PersonOfMany(StrictModel):
    """How it went with one person. error: nothing was stored; the fields after it are empty."""

    user: str = Field(examples=["anna"])
    outcome: str = Field(examples=["enrolled"])
    error: str | None = None
    photos_in_template: int = Field(default=0, examples=[3])
    quality: Quality | None = None
    advice: list[str] = []
    left_out: list[str] = []


class EnrolledPeople(OutcomeModel):
    """How it went with each person, in the order of the first photo of each."""

    outcome: Literal["finished"]
    exit_code: int
    enrolled: int = Field(examples=[12], description="of these people")
    people: list[PersonOfMany]


class Forgotten(OutcomeModel):
    """Whose template was deleted."""

    outcome: Literal["forgotten"]
    exit_code: int
    user: str = Field(examples=["anna"])


class Renamed(OutcomeModel):
    """user: the new name, as it was stored."""

    outcome: Literal["renamed"]
    exit_code: int
    user: str = Field(examples=["anna"])


class PictureRemoved(OutcomeModel):
    """The picture of the face is not kept any more; the template is."""

    outcome: Literal["picture_removed"]
    exit_code: int
    user: str = Field(examples=["anna"])


KeptWord = Literal["follow_on", "follow_off", "learned_removed", "not_me", "not_me_undone"]


class KeptChanged(OutcomeModel):
    """What is kept of this person's unlocks was changed."""

    outcome: KeptWord
    exit_code: int
    user: str = Field(examples=["anna"])


class LogEvent(StrictModel):
    """One entry of the log; the newest `last` of them, newest last. user: "" for nobody.

    markable: an unlock that can be marked as somebody else's.
    """

    at: str = Field(examples=["2026-01-31T12:00:00+00:00"])
    kind: str = Field(examples=["unlock"])
    user: str = Field(examples=["anna"])
    outcome: str = Field(examples=["unlocked"])
    where: str = Field(examples=["web"])
    markable: bool = False


class Log(OutcomeModel):
    """entries: in the whole log. earlier: how many lines came before these."""

    outcome: Literal["verified"]
    exit_code: int
    entries: int
    earlier: int
    lines: list[str] = Field(examples=[["2026-01-31 12:00 +0000  anna was identified"]])
    events: list[LogEvent]


class ExploredFace(StrictModel):
    """picture: the cropped face as a data URL."""

    name: str
    picture: str


class LeftOutPhoto(StrictModel):
    """A photo without exactly one face."""

    name: str
    reason: str


class Exploration(OutcomeModel):
    """similarity: of each face to each. points: the faces on two principal components."""

    outcome: Literal["explored"]
    exit_code: int
    faces: list[ExploredFace]
    similarity: list[list[float]]
    points: list[Point]
    threshold: float = Field(description="from which two photos show the same person")
    left_out: list[LeftOutPhoto]


class Health(StrictModel):
    """The process responds."""

    status: Literal["ok"]


class Session(OutcomeModel):
    """A token for the page, of scope admin, until the service stops."""

    outcome: Literal["done"]
    token: str


class Ready(OutcomeModel):
    """A call would be processed."""

    outcome: Literal["ready"]
