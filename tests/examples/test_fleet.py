"""The compose file and the systemd template are well-formed, and start what there is.

Neither docker nor a running systemd is needed: nothing is started.
"""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from mien.cli.parser import build_parser
from mien.web.server import HARD_END_S

FLEET = Path(__file__).resolve().parents[2] / "examples" / "fleet"


def expect_serve(words: list[str]) -> None:
    """The command line is one of mien serve, for several processes."""
    args = build_parser("serve").parse_args(words)
    assert args.workers > 1
    assert args.no_page


def test_the_compose_file_starts_the_service_after_its_database() -> None:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML: pip install pyyaml")
    compose = yaml.safe_load((FLEET / "compose.yaml").read_text(encoding="utf-8"))
    mien = compose["services"]["mien"]
    assert mien["command"][0] == "mien"
    expect_serve(mien["command"][1:])
    assert mien["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert float(mien["stop_grace_period"].removesuffix("s")) > HARD_END_S + 5
    for service in compose["services"].values():
        assert set(service["secrets"]) <= compose["secrets"].keys()
        named = [one.partition(":")[0] for one in service["volumes"]]
        assert set(named) <= compose["volumes"].keys()
        assert "ports" not in service  # nothing is reachable until somebody decides so
    assert "PASSWORD" not in mien["environment"]["MIEN_VAULT"]


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(FLEET / "mien@.service", encoding="utf-8")
    return parser


def test_the_unit_starts_the_service_and_waits_for_its_end() -> None:
    service = unit()["Service"]
    program, *words = shlex.split(service["ExecStart"].replace("${MIEN_PORT}", "8437"))
    assert program.endswith("/mien")
    expect_serve(words)
    assert float(service["TimeoutStopSec"].removesuffix("s")) > HARD_END_S + 5


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (FLEET / "mien@.service").read_text(encoding="utf-8")
    (tmp_path / "mien@.service").write_text(text.replace("/opt/mien/bin/mien", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", str(tmp_path / "mien@acme.service")],
        capture_output=True,
        text=True,
    )
    assert "mien@" not in done.stderr, done.stderr
