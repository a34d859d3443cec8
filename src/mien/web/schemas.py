"""What the service answers, for its description. Nothing is checked against these at run time:
the tests do it."""

# no postponed annotations here: pydantic reads them

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

OUTCOMES = Literal["unlocked", "not_the_owner", "no_face", "several_faces"]
Point = list[float]


class Strict(BaseModel):
    """What is not named here is not answered."""

    model_config = ConfigDict(extra="forbid")


class Error(Strict):
    """Why nothing was done, in one line. exit_code: as on the command line, where it has one."""

    outcome: str = Field(examples=["usage"])
    error: str = Field(examples=["the request is wrong or lacks something: photo"])
    exit_code: int | None = Field(None, examples=[2])


class Face(Strict):
    """Where the face is, in pixels of the photo."""

    box_xyxy: list[float] = Field(min_length=4, max_length=4, examples=[[102.1, 80.4, 240.0, 260]])
    points_xy: list[Point] = Field(min_length=5, max_length=5, description="eyes, nose, mouth")
    score: float = Field(ge=0, le=1, description="higher is surer")


class Decision(Strict):
    """Yes or no. What comes after the reason is for scope enroll and above."""

    outcome: OUTCOMES = Field(examples=["unlocked"])
    exit_code: int = Field(examples=[0])
    reason: str = Field(examples=["the same person"])
    similarity: float | None = Field(None, examples=[0.71], description="higher is more alike")
    threshold: float | None = Field(None, examples=[0.42])
    model: str | None = Field(None, examples=["sface"])
    odds: str | None = Field(None, description="how often a stranger scores this high")
    face: Face | None = None


class Identified(Decision):
    """user: who it is; null for nobody."""

    user: str | None = Field(examples=["anna"])


class SeenFace(Strict):
    """Where the face is, in pixels of the photo."""

    box_xyxy: list[float] = Field(min_length=4, max_length=4)
    points_xy: list[Point] = Field(min_length=5, max_length=5)


class Look(Strict):
    """advice: what would make the photo better; empty when nothing would."""

    outcome: Literal["found", "no_face", "several_faces"]
    advice: list[str] = Field(examples=[["move closer: the face is 52 px wide"]])
    face: SeenFace | None
    width: int
    height: int


class LookAlike(Strict):
    """Somebody else who is enrolled and looks like this person."""

    user: str
    similarity: float


class Person(Strict):
    """What follows the model is known for templates of the model that is in use."""

    user: str = Field(examples=["anna"])
    enrolled: str = Field(examples=["2026-01-31T12:00:00+00:00"])
    model: str = Field(examples=["sface"])
    photos: int = Field(0, examples=[3])
    agreement: float | None = Field(None, description="the least of each photo with the others")
    margin: float | None = Field(None, description="of the threshold over the closest stranger")
    expectation: str | None = None
    look_alikes: list[LookAlike] = []


class People(Strict):
    """By name."""

    outcome: Literal["listed"]
    exit_code: int
    people: list[Person]


class TakenPhoto(Strict):
    """leave_one_out: how well it agrees with the others."""

    photo: str
    leave_one_out: float | None
    advice: list[str]


class SkippedPhoto(Strict):
    """Nearly the same as another one."""

    photo: str
    same_as: str


class Enrollment(Strict):
    """What was remembered."""

    outcome: Literal["enrolled"]
    exit_code: int
    user: str = Field(examples=["anna"])
    photos_in_template: int = Field(examples=[3])
    photos: list[TakenPhoto]
    skipped: list[SkippedPhoto]
    advice: list[str]
    expectation: str | None
    closest_stranger: float | None
    margin: float | None
    look_alikes: list[LookAlike]


class Forgotten(Strict):
    """Whose template is gone."""

    outcome: Literal["forgotten"]
    exit_code: int
    user: str = Field(examples=["anna"])


class Log(Strict):
    """entries: in the whole log. earlier: lines before these."""

    outcome: Literal["verified"]
    exit_code: int
    entries: int
    earlier: int
    words: list[str] = Field(examples=[["2026-01-31 12:00:00 web: anna was recognised"]])


class ExploredFace(Strict):
    """picture: as a data URL."""

    name: str
    picture: str


class LeftOut(Strict):
    """A photo without one face."""

    name: str
    why: str


class Explored(Strict):
    """similarity: of each face with each. points: a map of them."""

    outcome: Literal["explored"]
    exit_code: int
    faces: list[ExploredFace]
    similarity: list[list[float]]
    points: list[Point]
    left_out: list[LeftOut]


class Health(Strict):
    """The process answers."""

    status: Literal["ok"]


class Ready(Strict):
    """A call would be worked on."""

    outcome: Literal["ready"]
