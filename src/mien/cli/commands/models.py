"""`mien models` and `mien models add`."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime, timezone

import numpy as np

from mien.app.health import model_states
from mien.cli.output import CommandResult
from mien.cli.progress import byte_bar
from mien.errors import ExitCode, MienError, ModelMissing, UsageError
from mien.models import ADDED_ROWS, LIVENESS_ROWS, ModelRow, find_embedder, read_added_graph
from mien.models.add import add_model
from mien.models.add_liveness import add_liveness
from mien.models.added import custom_names
from mien.models.custom import add_custom
from mien.settings import Settings, load_settings

LIVENESS = "liveness"  # the three models of the liveness checks, by one name
SEED = 20180402  # of the crops on which a graph is compared with torch; the day in the file's name


def list_models(args: Namespace) -> CommandResult:
    """The models that pip installs, then those that can be added; one not added is no fault."""
    settings = load_settings()
    installed = model_states(settings)
    added = {
        name: _added_state(name, settings)
        for name in (*ADDED_ROWS, *custom_names(settings.data_dir))
    }
    added |= {row.name: _graph_state(row, settings) for row in LIVENESS_ROWS}
    lines = [f"{'model':12} {'licence':11} {'sha256':13} {'state':9} where"]
    lines += [
        f"{s.row.name:12} {s.row.licence:11} {s.row.sha256[:12]:13} {s.state:9} {s.where}"
        for s in installed
    ]
    lines += ["", *(f"{name}: {where}" for name, (_, where) in added.items())]
    faulty = any(s.state != "ok" for s in installed)
    faulty = faulty or any(state == "altered" for state, _ in added.values())
    code = ExitCode.MODEL_UNAVAILABLE if faulty else ExitCode.OK
    data: dict[str, object] = {
        "outcome": "model_unavailable" if faulty else "listed",
        "exit_code": int(code),
        "models": [
            {
                "name": s.row.name,
                "purpose": s.row.purpose,
                "licence": s.row.licence,
                "sha256": s.row.sha256,
                "state": s.state,
                "where": s.where,
            }
            for s in installed
        ],
        "added": [
            {"name": name, "state": state, "where": where} for name, (state, where) in added.items()
        ],
    }
    return CommandResult(code, tuple(lines), data)


def add(args: Namespace) -> CommandResult:
    """A model of the table, or with args.onnx an embedder of the user's own."""
    given = [
        option
        for option in ("recipe", "colour", "mean", "std", "licence")
        if getattr(args, option) is not None
    ]
    if args.onnx is not None:
        return _add_own(args)
    if given:
        raise UsageError(f"--{given[0]} is for an ONNX file; add --onnx PATH, or leave it out")
    return _add_liveness(args) if args.model == LIVENESS else _add_row(args)


def _add_own(args: Namespace) -> CommandResult:
    """args.onnx: Path. args.recipe, args.licence: required. args.colour, mean, std: or None."""
    for option in ("recipe", "licence"):
        if getattr(args, option) is None:
            raise UsageError(f"--onnx needs --{option} too; see: mien models add --help")
    added = add_custom(
        args.model,
        args.onnx,
        recipe=args.recipe,
        colour=args.colour or "rgb",
        mean=args.mean,
        std=args.std,
        licence=args.licence,
        settings=load_settings(),
        today=datetime.now(timezone.utc).date(),
    )
    record = added.record
    assert record.custom is not None
    lines = [
        f"added {record.name}, {record.custom.dims} numbers, weights {record.source_sha256[:12]}"
    ]
    lines += [f"  {engine} runs it" for engine in added.difference]
    lines += [f"  {engine} does not run it: {why}" for engine, why in added.refused.items()]
    lines.append(f"  not calibrated; run: mien calibrate FOLDER --model {record.name}")
    data: dict[str, object] = {
        "outcome": "added",
        "exit_code": 0,
        "model": record.name,
        "dims": record.custom.dims,
        "weights_sha256": record.weights_sha256,
        "source_sha256": record.source_sha256,
        "graph_sha256": dict(record.graph_sha256),
        "refused": dict(added.refused),
    }
    return CommandResult(ExitCode.OK, tuple(lines), data)


def _add_row(args: Namespace) -> CommandResult:
    """args.model: the row's name. args.file: Path of its weights, or None to download them."""
    with byte_bar(f"downloading {args.model}") as tell:
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
    lines += [
        f"  {engine} is within {difference:.1g} of {added.reference}"
        for engine, difference in added.difference.items()
    ]
    data: dict[str, object] = {
        "outcome": "added",
        "exit_code": 0,
        "model": record.name,
        "weights_sha256": record.weights_sha256,
        "graph_sha256": dict(record.graph_sha256),
        "reference": added.reference,
        "largest_difference": dict(added.difference),
    }
    return CommandResult(ExitCode.OK, tuple(lines), data)


def _add_liveness(args: Namespace) -> CommandResult:
    """args.file: Path of a folder or of one published file, or None to download them."""
    lines: list[str] = []
    models: list[dict[str, object]] = []
    with byte_bar("downloading liveness models") as tell:
        for added in add_liveness(file=args.file, settings=load_settings(), tell=tell):
            row = added.row
            lines.append(f"added {row.name}, weights {row.sha256[:12]}")
            lines += [
                f"  {engine} is within {difference:.1g} of the published net's known outputs"
                for engine, difference in added.difference.items()
            ]
            models.append(
                {
                    "model": row.name,
                    "weights_sha256": row.sha256,
                    "graph_sha256": dict(row.graph_sha256),
                    "largest_difference": dict(added.difference),
                }
            )
    data: dict[str, object] = {"outcome": "added", "exit_code": 0, "models": models}
    return CommandResult(ExitCode.OK, tuple(lines), data)


def _added_state(name: str, settings: Settings) -> tuple[str, str]:
    """ok, not added or altered; and in words, with what to do."""
    try:
        row = find_embedder(name, settings.data_dir).model
    except ModelMissing as error:
        return "not added", str(error)
    except MienError as error:
        return "altered", str(error)
    return _graph_state(row, settings)


def _graph_state(row: ModelRow, settings: Settings) -> tuple[str, str]:
    try:
        read_added_graph(row, settings.engine, settings.data_dir)
    except ModelMissing as error:
        return "not added", str(error)
    except MienError as error:
        return "altered", str(error)
    return "ok", f"{row.licence}, weights {row.sha256[:12]}, in {str(settings.data_dir)!r}"
