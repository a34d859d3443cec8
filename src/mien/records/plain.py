"""The decorator, and the methods that its classes have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")
MISSING = object()


class Field:
    """What `field` states about a field; a plain default stands for itself."""

    __slots__ = ("compare", "default", "make_default", "repr")

    def __init__(
        self, default: object, make_default: Callable[[], object] | None, repr: bool, compare: bool
    ) -> None:
        self.default = default
        self.make_default = make_default
        self.repr = repr
        self.compare = compare


def field(
    *,
    default: Any = MISSING,
    default_factory: Callable[[], object] | None = None,
    repr: bool = True,
    compare: bool = True,
) -> Any:
    """As `dataclasses.field`."""
    return Field(default, default_factory, repr, compare)


def dataclass(
    *, frozen: bool = False, slots: bool, eq: bool = True
) -> Callable[[type[T]], type[T]]:
    """As `dataclasses.dataclass`, always with slots. TypeError without them."""
    if not slots:
        raise TypeError("a data class of mien has slots; write slots=True")

    def make(cls: type[T]) -> type[T]:
        return _Shape(cls, frozen=frozen, eq=eq).make_class(cls)

    return make


def replace(record: T, /, **changes: Any) -> T:
    """As `dataclasses.replace`."""
    shape = _shape_of(record)
    given = dict(zip(shape.names, shape.values(record), strict=True))
    return type(record)(**{**given, **changes})


def asdict(record: object) -> dict[str, Any]:
    """As `dataclasses.asdict`, but what is no data class, dict, list or tuple is not copied."""
    shape = _shape_of(record)
    return {
        name: _plain(value) for name, value in zip(shape.names, shape.values(record), strict=True)
    }


def _plain(value: Any) -> Any:
    if hasattr(type(value), "_shape"):
        return asdict(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(one) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value


class _Shape:
    """The fields of a class.

    setters: of the slots, in the order of the fields. values: gives the tuple of all fields of an
    instance; compared, shown: of those that count for equality, and that `repr` prints.
    """

    def __init__(self, cls: type, *, frozen: bool, eq: bool) -> None:
        self.names: tuple[str, ...] = tuple(cls.__annotations__)
        given = {
            name: one if isinstance(one, Field) else Field(one, None, True, True)
            for name, one in cls.__dict__.items()
            if name in self.names
        }
        self.optional: Mapping[str, Field] = given
        self.frozen, self.eq = frozen, eq
        self.values = _getter(self.names)
        self.compared = _getter(
            [one for one in self.names if one not in given or given[one].compare]
        )
        self.shown = [one for one in self.names if one not in given or given[one].repr]
        self.setters: tuple[Callable[[object, object], None], ...] = ()
        self.plan: list[tuple[str, Callable[[object, object], None], Any, Any]] = []
        self.checks = False
        self.twin: Any = None

    def make_class(self, cls: type[T]) -> type[T]:
        """The class again, with slots and methods."""
        body = {
            name: value
            for name, value in cls.__dict__.items()
            if name not in self.names and name not in ("__dict__", "__weakref__")
        }
        methods = dict(METHODS)
        if self.eq:
            methods["__eq__"] = _equal
            methods["__hash__"] = _hash if self.frozen else None
        if self.frozen:
            methods |= {"__setattr__": _refuse_change, "__delattr__": _refuse_change}
        make: Any = type(cls)  # the metaclass
        made = make(
            cls.__name__,
            cls.__bases__,
            {
                **methods,
                **body,
                "__slots__": self.names,
                "__match_args__": self.names,
                "__qualname__": cls.__qualname__,
                "_shape": self,
            },
        )
        self.setters = tuple(getattr(made, name).__set__ for name in self.names)
        required = Field(MISSING, None, True, True)
        for name, set_field in zip(self.names, self.setters, strict=True):
            stated = self.optional.get(name, required)
            self.plan.append((name, set_field, stated.default, stated.make_default))
        self.checks = hasattr(made, "__post_init__")
        finished: type[T] = made
        return finished

    def fill(self, record: object, given: dict[str, Any], start: int) -> None:
        """Set the fields from the one at `start` on, by name or by default. TypeError."""
        missing = []
        for name, set_field, default, make_default in self.plan[start:]:
            if name in given:
                set_field(record, given.pop(name))
            elif make_default is not None:
                set_field(record, make_default())
            elif default is not MISSING:
                set_field(record, default)
            else:
                missing.append(repr(name))
        if not missing and not given:
            return
        called = f"{type(record).__name__}.__init__()"
        if missing:
            raise TypeError(f"{called} missing {_count_arguments(missing)}")
        for name in given:
            problem = "multiple values for" if name in self.names else "an unexpected keyword"
            raise TypeError(f"{called} got {problem} argument {name!r}")


def _count_arguments(names: list[str]) -> str:
    """As in Python's own message: 2 required positional arguments: 'a' and 'b'."""
    plural = "s" if len(names) > 1 else ""
    comma = "," if len(names) > 2 else ""
    listed = f"{', '.join(names[:-1])}{comma} and {names[-1]}" if plural else names[0]
    return f"{len(names)} required positional argument{plural}: {listed}"


def _getter(names: Any) -> Callable[[Any], tuple[Any, ...]]:
    """A function that gives the tuple of these attributes."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda record: tuple(getattr(record, name) for name in names)


def _shape_of(record: Any) -> _Shape:
    shape: _Shape = record._shape
    return shape


def _init(self: Any, /, *args: Any, **given: Any) -> None:
    shape: _Shape = self._shape
    setters = shape.setters
    if len(args) > len(setters):
        most = f"takes {len(setters)} arguments"
        raise TypeError(f"{type(self).__name__}.__init__() {most}, {len(args)} were given")
    for set_field, value in zip(setters, args):  # noqa: B905 - the rest follows by name
        set_field(self, value)
    if given or len(args) < len(setters):
        shape.fill(self, given, len(args))
    if shape.checks:
        self.__post_init__()


def _show(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._shape.shown)
    return f"{type(self).__qualname__}({shown})"


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    shape: _Shape = self._shape
    return shape.compared(self) == shape.compared(other)


def _hash(self: Any) -> int:
    return hash(self._shape.compared(self))


def _refuse_change(self: Any, name: str, *value: object) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot {'assign to' if value else 'delete'} field {name!r}")


def _get_state(self: Any) -> list[Any]:
    return list(self._shape.values(self))


def _set_state(self: Any, state: list[Any]) -> None:
    for set_field, value in zip(self._shape.setters, state, strict=True):
        set_field(self, value)


class _Lazy:
    """A class attribute that `dataclasses` would have made; it is made when somebody asks."""

    def __init__(self, make: Callable[[type], Any]) -> None:
        self._make = make

    def __get__(self, record: object, cls: type) -> Any:
        return self._make(cls)


def _twin(cls: Any) -> Any:
    """A class of the module `dataclasses` with the same fields."""
    import dataclasses

    shape: _Shape = cls._shape
    if shape.twin is None:
        body: dict[str, Any] = {"__annotations__": cls.__annotations__, "__doc__": cls.__doc__}
        for name, one in shape.optional.items():
            stated: dict[str, Any] = {"repr": one.repr, "compare": one.compare}
            if one.default is not MISSING:
                stated["default"] = one.default
            if one.make_default is not None:
                stated["default_factory"] = one.make_default
            body[name] = dataclasses.field(**stated)
        shape.twin = dataclasses.dataclass(type(cls.__name__, (), body))
    return shape.twin


def _signature(cls: type) -> Any:
    import inspect

    return inspect.signature(_twin(cls))


METHODS: dict[str, Any] = {
    "__init__": _init,
    "__repr__": _show,
    "__getstate__": _get_state,
    "__setstate__": _set_state,
    "__replace__": replace,
    "__dataclass_fields__": _Lazy(lambda cls: _twin(cls).__dataclass_fields__),
    "__signature__": _Lazy(_signature),
}
