"""Data classes that cost no time when they are imported.

`dataclasses` writes the methods of every class as source text and compiles it, which is an eighth
of an unlock in a new process. Here the methods are written once and read the fields of the class.
A class made here is a data class to everybody else: `dataclasses.fields`, `replace`, `asdict` and
`is_dataclass` work on it, and to a type checker it is one.

Modules that an unlock loads take `dataclass`, `field`, `replace` and `asdict` from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import asdict, dataclass, field, replace
else:
    from mien.records.plain import asdict, dataclass, field, replace

__all__ = ["asdict", "dataclass", "field", "replace"]
