"""What a process of the service is told by the one that started it, as one line of JSON."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mien.web.server import ListenOptions


@dataclass(frozen=True, slots=True)
class ProcessJob:
    """engine, calibration: as given on the command line. listening: the number of the inherited
    socket. passphrase: of the vault; None if it has none or a file has it. processes: how many
    there are."""

    options: ListenOptions
    engine: str | None
    calibration: str | None
    passphrase: str | None
    with_page: bool
    processes: int
    listening: int = -1

    @classmethod
    def of(cls, args: Namespace, options: ListenOptions, *, passphrase: str | None) -> ProcessJob:
        """args: of `mien serve`."""
        return cls(
            options=options,
            engine=args.engine,
            calibration=args.calibration,
            passphrase=passphrase,
            with_page=not args.no_page,
            processes=args.workers,
        )

    def to_line(self) -> bytes:
        """One line."""
        return json.dumps(asdict(self), default=str).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> ProcessJob:
        """Read what `to_line` wrote."""
        table: dict[str, Any] = json.loads(line)
        given = table.pop("options")
        options = ListenOptions(
            **{
                **given,
                "names": tuple(given["names"]),
                **{name: given[name] and Path(given[name]) for name in ("certificate", "key")},
            }
        )
        return cls(options, **table)
