"""Data classes without generated code behave as those of the module `dataclasses`."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from mien.records.plain import asdict, dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Point:
    """A point. y: has a default."""

    x: int
    y: int = 2
    marks: dict[str, int] = field(default_factory=dict)
    secret: str = field(default="s", repr=False, compare=False)


@dataclass(slots=True)
class Counter:
    count: int = 0

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("a count is not negative")


@dataclass(frozen=True, slots=True, eq=False)
class Holder:
    points: list[Point]
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Standard:
    """What `Point` is compared with."""

    x: int
    y: int = 2
    marks: dict[str, int] = dataclasses.field(default_factory=dict)
    secret: str = dataclasses.field(default="s", repr=False, compare=False)


@pytest.mark.parametrize(
    "given",
    [
        lambda make: make(1),
        lambda make: make(1, 5),
        lambda make: make(y=7, x=1),
        lambda make: make(1, 2, {"a": 1}, "t"),
        lambda make: make(1, secret="t"),
    ],
)
def test_positions_names_and_defaults_fill_the_fields(
    given: Callable[[Callable[..., Any]], Any],
) -> None:
    assert asdict(given(Point)) == dataclasses.asdict(given(Standard))


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: Point(), r"Point.__init__\(\) missing 1 required positional argument: 'x'"),  # type: ignore[call-arg]
        (lambda: Point(1, 2, {}, "s", 5), "takes 4 arguments, 5 were given"),  # type: ignore[call-arg]
        (lambda: Point(1, x=1), "got multiple values for argument 'x'"),  # type: ignore[misc]
        (lambda: Point(1, z=1), "got an unexpected keyword argument 'z'"),  # type: ignore[call-arg]
    ],
)
def test_a_wrong_call_is_a_type_error(call: Callable[[], object], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        call()


def test_missing_arguments_are_named_as_python_names_them() -> None:
    @dataclass(frozen=True, slots=True)
    class Three:
        a: int
        b: int
        c: int

    def three(a: int, b: int, c: int) -> None: ...

    for given in ({}, {"c": 1}, {"a": 1, "c": 1}):
        with pytest.raises(TypeError) as ours:
            Three(**given)
        with pytest.raises(TypeError) as theirs:
            three(**given)
        assert str(ours.value).partition("() ")[2] == str(theirs.value).partition("() ")[2]


def test_each_instance_has_a_default_of_its_own() -> None:
    assert Point(1).marks is not Point(1).marks


def test_the_check_after_filling_runs() -> None:
    with pytest.raises(ValueError, match="not negative"):
        Counter(-1)


def test_a_frozen_one_cannot_change_and_a_plain_one_can() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError, match="assign to field 'x'"):
        Point(1).x = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="delete field 'x'"):
        del Point(1).x  # type: ignore[misc]
    counter = Counter()
    counter.count += 1
    assert counter == Counter(1)
    with pytest.raises(AttributeError):
        counter.other = 1  # type: ignore[attr-defined]


def test_equality_and_hash_are_of_the_compared_fields() -> None:
    assert Point(1, secret="a") == Point(1, secret="b")
    assert Point(1) != Point(2)
    assert Point(1) != Standard(1)
    assert hash(Quiet(1, "a")) == hash(Quiet(1, "b"))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Counter())
    assert Holder([]) != Holder([])


@dataclass(frozen=True, slots=True)
class Quiet:
    x: int
    secret: str = field(default="", compare=False)


def test_what_is_secret_is_not_printed() -> None:
    assert repr(Point(1)) == "Point(x=1, y=2, marks={})"


@pytest.mark.parametrize(
    "take", [lambda p: pickle.loads(pickle.dumps(p)), copy.copy, copy.deepcopy]
)
def test_it_survives_a_copy_and_a_pickle(take: Callable[[Any], Any]) -> None:
    assert asdict(take(Point(1, 3, {"a": 1}, "t"))) == asdict(Point(1, 3, {"a": 1}, "t"))


def test_replace_and_asdict() -> None:
    assert replace(Point(1), y=9) == Point(1, 9)
    with pytest.raises(TypeError, match="'z'"):
        replace(Point(1), z=1)  # type: ignore[call-arg]
    holder = Holder([Point(1)], ("a",))
    assert asdict(holder) == dataclasses.asdict(holder)


def test_the_module_dataclasses_sees_a_data_class() -> None:
    assert dataclasses.is_dataclass(Point)
    assert [one.name for one in dataclasses.fields(Point)] == ["x", "y", "marks", "secret"]
    assert [one.repr for one in dataclasses.fields(Point)] == [True, True, True, False]
    assert dataclasses.replace(Point(1), y=9) == Point(1, 9)
    assert str(inspect.signature(Point)).startswith("(x: 'int', y: 'int' = 2")
    match Point(1, 5):
        case Point(x, y):
            assert (x, y) == (1, 5)


def test_a_class_without_slots_is_refused() -> None:
    with pytest.raises(TypeError, match="slots=True"):
        dataclass(frozen=True, slots=False)


def test_no_module_of_an_unlock_generates_code_when_it_is_imported() -> None:
    program = (
        "import sys, mien.cli.parser, mien.cli.commands.unlock, mien.cli.user_vault,"
        " mien.app.messages, mien.media.image_file, mien.app.verify;"
        " print('dataclasses' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout == "False\n"
