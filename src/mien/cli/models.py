"""`mien models` and `mien models add`: what is there, and adding what pip does not bring."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

from mien.cli import door
from mien.cli.door import CommandResult
from mien.errors import ExitCode, MienError
from mien.settings import Settings, load_settings

SEED = 20180402  # of the crops on which graph and torch are compared; the day in the file's name


def models(args: Namespace) -> CommandResult:
    """The table that pip fills, then what can be added; a model not added is no fault."""
    from mien.models import ADDED_ROWS

    answer = door.models(args)
    rows = {name: _state(name, load_settings()) for name in ADDED_ROWS}
    lines = [f"{name}: {words}" for name, (_, words) in rows.items()]
    altered = any(state == "altered" for state, _ in rows.values())
    code = ExitCode.MODEL_UNAVAILABLE if altered else answer.exit_code
    data: dict[str, object] = {
        **answer.data,
        "added": [{"name": name, "state": s, "where": words} for name, (s, words) in rows.items()],
    }
    if altered:
        data |= {"outcome": "model_unavailable", "exit_code": int(code)}
    return replace(answer, exit_code=code, lines=(*answer.lines, "", *lines), data=data)


def add(args: Namespace) -> CommandResult:
    """args.model: the row's name. args.file: Path of its weights, or None to fetch them."""
    from datetime import datetime, timezone

    import numpy as np

    from mien.cli.progress import byte_bar
    from mien.models.add import add_model

    with byte_bar(f"fetching {args.model}") as tell:
        added = add_model(
            args.model,
            file=args.file,
            settings=load_settings(),
            today=datetime.now(timezone.utc).date(),
            rng=np.random.default_rng(SEED),
            tell=tell,
        )
    record = added.record
    lines = [f"added {record.name}, weights {record.weights_sha256[:12]}"]
    lines += [f"  {engine} is within {apart:.1g} of torch" for engine, apart in added.apart.items()]
    data: dict[str, object] = {
        "outcome": "added",
        "exit_code": 0,
        "model": record.name,
        "weights_sha256": record.weights_sha256,
        "graph_sha256": dict(record.graph_sha256),
        "apart_from_torch": dict(added.apart),
    }
    return CommandResult(ExitCode.UNLOCKED, tuple(lines), data)


def _state(name: str, settings: Settings) -> tuple[str, str]:
    """ok, not added or altered; and in words, with what to do."""
    from mien.errors import ModelMissing
    from mien.models import ADDED_ROWS, added_embedder, graph_of_added

    row = ADDED_ROWS[name].model
    try:
        row = added_embedder(ADDED_ROWS[name], settings.data_dir).model
        graph_of_added(row, settings.engine, settings.data_dir)
    except ModelMissing as error:
        return "not added", str(error)
    except MienError as error:
        return "altered", str(error)
    return "ok", f"{row.licence}, weights {row.sha256[:12]}, in {str(settings.data_dir)!r}"
