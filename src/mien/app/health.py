"""Checks of this machine: packages, models, engine and vault, with what to do about each fault."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import numpy as np

from mien.app.pipeline import open_pipeline, optimised_store
from mien.errors import (
    ExitCode,
    MienError,
    ModelAltered,
    ModelMissing,
    ModelUnavailable,
    install_command,
    install_hint,
)
from mien.models import (
    EMBEDDERS,
    LIVENESS_ROWS,
    MODEL_ROWS,
    ModelRow,
    cached_graph_path,
    find_embedder,
    find_weights,
    known_embedders,
    read_added_graph,
    read_weights,
)
from mien.models.added import record_path
from mien.results import Crop
from mien.settings import DEFAULT_MODEL, Settings, usable_cores
from mien.system.ownership import HAS_MODES, others_may_write, own_user_id
from mien.vault.crypto.passphrase import passphrase_prompt
from mien.vault.open import open_vault

PACKAGES = ("numpy", "pillow", "onnx", "cryptography")
RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
"""Packages that install the module `onnxruntime`, each over the other."""
EXTRAS = {
    "openvino": "openvino",
    "matplotlib": "lab",
    "jinja2": "lab",
    "fastapi": "serve",
    "psycopg": "postgres",
    "keyring": "keyring",
}


@dataclass(frozen=True, slots=True)
class ModelState:
    """One row of the model table on this machine. where: its path, or how to get it."""

    row: ModelRow
    state: Literal["ok", "missing", "altered"]
    where: str


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. state: ok; advice, works but could be better; broken."""

    what: str
    state: Literal["ok", "advice", "broken"]
    found: str
    exit_code: ExitCode = ExitCode.OK


def model_states(settings: Settings) -> list[ModelState]:
    """Find each row's weights and hash them now."""
    states = []
    for row in MODEL_ROWS.values():
        path = find_weights(row, settings.models_dir)
        where = str(path) if path else f"not found; run: {install_command(row.package)}"
        try:
            read_weights(row, settings.models_dir)
        except ModelMissing:
            unread = f"cannot be read: {where!r}; change its permissions or remove it"
            states.append(ModelState(row, "missing", unread if path else where))
        except ModelAltered:
            states.append(ModelState(row, "altered", where))
        else:
            states.append(ModelState(row, "ok", where))
    return states


def check_all(settings: Settings) -> list[Check]:
    """Python, packages, models, engine, vault, cache; the last check runs a whole unlock."""
    checks = [Check("python", "ok", f"{sys.version.split()[0]}, {usable_cores()} usable cores")]
    checks += [_package(name) for name in PACKAGES]
    checks.append(_runtime())
    checks += [_extra(name, extra) for name, extra in EXTRAS.items()]
    checks += [_model(state) for state in model_states(settings)]
    checks += _added_models(settings)
    checks += [_liveness_model(row, settings) for row in LIVENESS_ROWS]
    checks += [_folder(name, path) for name, path in _folders(settings)]
    checks += [
        _cache(settings),
        _guarded("engine", lambda: _try_engine(settings)),
        *_optimised(settings),
        _guarded("vault", lambda: _try_vault(settings)),
    ]
    return checks


def _package(name: str) -> Check:
    try:
        return Check(name, "ok", version(name))
    except PackageNotFoundError:
        found = f"missing; run: {install_command(name)}"
        return Check(name, "broken", found, ExitCode.MODEL_UNAVAILABLE)


def _runtime() -> Check:
    """Which package the module `onnxruntime` is of."""
    installed = {}
    for name in RUNTIMES:
        with suppress(PackageNotFoundError):
            installed[name] = version(name)
    if not installed:
        return _package(RUNTIMES[0])
    found = " and ".join(f"{name} {number}" for name, number in installed.items())
    if len(installed) == 1:
        return Check("onnxruntime", "ok", found)
    hint = "they overwrite each other; uninstall both, then install one, see docs/gpu.md"
    return Check("onnxruntime", "advice", f"{found}: {hint}")


def _extra(name: str, extra: str) -> Check:
    try:
        return Check(name, "ok", version(name))
    except PackageNotFoundError:
        return Check(name, "advice", f"not installed; to use it, {install_hint(extra)}")


def _model(state: ModelState) -> Check:
    what = f"model {state.row.name}"
    if state.state == "ok":
        return Check(what, "ok", state.where)
    if state.state == "missing":
        return Check(what, "broken", state.where, ExitCode.MODEL_UNAVAILABLE)
    found = f"altered at {state.where!r}; delete it and run: {install_command(state.row.package)}"
    return Check(what, "broken", found, ExitCode.MODEL_UNAVAILABLE)


def _added_models(settings: Settings) -> list[Check]:
    """A check of each model that was added, by the hash of its graph."""
    names = [
        name
        for name in known_embedders(settings.data_dir)
        if name not in MODEL_ROWS and os.path.isfile(record_path(name, settings.data_dir))
    ]
    return [_guarded(f"model {name}", partial(_read_added, name, settings)) for name in names]


def _liveness_model(row: ModelRow, settings: Settings) -> Check:
    """Not added is advice: until then, no camera is checked for a living person."""
    what = f"model {row.name}"
    try:
        read_added_graph(row, settings.engine, settings.data_dir)
    except ModelMissing as error:
        return Check(what, "advice", str(error))
    except ModelAltered as error:
        return Check(what, "broken", str(error), error.exit_code)
    return Check(what, "ok", f"added, weights {row.sha256[:12]}")


def _read_added(name: str, settings: Settings) -> str:
    row = find_embedder(name, settings.data_dir).model
    read_added_graph(row, settings.engine, settings.data_dir)
    return f"added, weights {row.sha256[:12]}"


def _folders(settings: Settings) -> list[tuple[str, Path]]:
    return [
        ("folder of the vault", settings.vault_path.parent),
        ("folder of the key", settings.key_path.parent),
        ("folder of models", settings.data_dir),
        ("folder of the cache", settings.cache_dir),
        ("folder of the rollback guard", settings.state_dir),
    ]


def _folder(what: str, path: Path) -> Check:
    """Whether files can be written there, or the folder be made. Writes nothing."""
    nearest = next((one for one in (path, *path.parents) if one.exists()), path)
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        found = f"{str(path)!r} cannot be written; change the mode or owner of {str(nearest)!r}"
        return Check(what, "broken", found, ExitCode.USAGE)
    if HAS_MODES and nearest.stat().st_uid != own_user_id():
        found = f"{str(nearest)!r} belongs to another user; run mien as that user, or set HOME"
        return Check(what, "advice", found)
    if nearest == path and others_may_write(path.stat()):
        found = f"anybody may write {str(path)!r}; run: chmod go-w {shlex.quote(str(path))}"
        return Check(what, "advice", found)
    return Check(what, "ok", str(path))


def _cache(settings: Settings) -> Check:
    paths = [
        cached_graph_path(row, settings.engine, settings.cache_dir) for row in MODEL_ROWS.values()
    ]
    built = sum(path.is_file() for path in paths)
    if built == len(paths):
        return Check("built graphs", "ok", str(paths[0].parent))
    return Check(
        "built graphs",
        "advice",
        f"{built} of {len(paths)} in {str(paths[0].parent)!r}; the next run builds the rest",
    )


def _optimised(settings: Settings) -> list[Check]:
    """After the engine was tried, which optimises what can be optimised."""
    if settings.engine != "onnxruntime":
        return []
    graphs, records = settings.cache_dir / "graphs", settings.data_dir / "optimised"
    rows = MODEL_ROWS.values()
    kept = sum(optimised_store(settings).is_kept(row) for row in rows)
    if kept == len(rows):
        return [Check("optimised graphs", "ok", str(graphs))]
    found = (
        f"{kept} of {len(rows)}, so every start takes longer; {str(graphs)!r} and "
        f"{str(records)!r} must be yours to write and have 100 MB free, and ONNX Runtime may be"
        " too old"
    )
    return [Check("optimised graphs", "advice", found)]


def _guarded(what: str, attempt: Callable[[], str]) -> Check:
    try:
        return Check(what, "ok", attempt())
    except MienError as error:
        return Check(what, "broken", str(error), error.exit_code)


def _try_engine(settings: Settings) -> str:
    """Load every net and run it on a blank picture, in which there must be no face."""
    for row in MODEL_ROWS.values():
        if not optimised_store(settings).is_kept(row):
            optimised_store(settings).forget(row)  # what failed once is tried again
    pipeline = open_pipeline(settings)
    blank = np.full((240, 320, 3), 127, np.uint8)
    if len(pipeline.faces(blank)):
        raise ModelUnavailable("the detector sees a face in a blank picture; reinstall mien")
    embedder = EMBEDDERS[DEFAULT_MODEL]
    pipeline.embed([Crop(blank[: embedder.side, : embedder.side], embedder.recipe)])
    return f"{settings.engine}, {settings.threads} threads per call"


def _try_vault(settings: Settings) -> str:
    ask = passphrase_prompt(settings.passphrase_file, "passphrase")
    with open_vault(settings, create=False, surface="command", ask_passphrase=ask) as vault:
        status = vault.verify()
        if status is None:
            return f"none yet; the first mien enroll creates {vault.place}"
        return f"{status.people} enrolled in {vault.place}, sealed; key in {status.key_location}"
