"""Work in the folder of the daemon, which its own user does: see `as_daemon`.

    python -I -m mien.login.install.tasks count STATE
    python -I -m mien.login.install.tasks prepare STATE [MODELS]

Each prints one JSON object: `{"people": 2, "missing": []}`, `{"models": [...]}`, `{"error": ""}`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mien.app.pipeline import open_pipeline
from mien.errors import MienError, ModelUnavailable
from mien.login.system_vault import open_system_vault, system_settings
from mien.models import LIVENESS_ROWS, read_added_graph
from mien.models.add_liveness import add_liveness
from mien.settings import Settings


def main(arguments: Sequence[str]) -> int:
    """Do one task, and print its result."""
    task, state, *models = arguments
    settings = system_settings(Path(state))
    answer: dict[str, object]
    try:
        if task == "count":
            with open_system_vault(settings, create=False) as vault:
                answer = {"people": len(vault.list_people()), "missing": _missing_models(settings)}
        else:
            open_pipeline(settings)  # builds the graphs of the detector and the embedder
            folder = Path(models[0]) if models else None
            added = add_liveness(file=folder, settings=settings, tell=lambda done, size: None)
            answer = {"models": [one.row.name for one in added]}
    except MienError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer))
    return 0


def _missing_models(settings: Settings) -> list[str]:
    """The liveness models without which no face opens anything."""
    missing = []
    for row in LIVENESS_ROWS:
        try:
            read_added_graph(row, settings.engine, settings.data_dir)
        except ModelUnavailable:
            missing.append(row.name)
    return missing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
