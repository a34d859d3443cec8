"""The programs in `examples/`, run as a user runs them."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.results import ByteArray

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
pytestmark = pytest.mark.skipif(
    not EXAMPLES.is_dir(), reason="needs the examples: run the tests from a checkout"
)


@pytest.fixture
def album(shots: list[ByteArray], tmp_path: Path) -> Path:
    """Three photos of one person in a folder, and `probe.png` of the same person beside it."""
    (tmp_path / "ana").mkdir()
    for number, shot in enumerate(shots[:3]):
        Image.fromarray(shot).save(tmp_path / "ana" / f"{number}.png")
    Image.fromarray(shots[3]).save(tmp_path / "probe.png")
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    return tmp_path


def run(example: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLES / example, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_each_example_has_at_most_thirty_lines() -> None:
    lengths = {path.name: path.read_text().count("\n") for path in EXAMPLES.glob("*.py")}
    assert len(lengths) == 3
    assert max(lengths.values()) <= 30


def test_people_are_remembered_from_one_run_to_the_next(home: Path, album: Path) -> None:
    photos = sorted((album / "ana").iterdir())
    enrolled = run("remember_people.py", "ana", *photos)
    assert (enrolled.returncode, enrolled.stderr) == (0, "")
    assert enrolled.stdout.startswith("enrolled ana from 3 photos\n")
    assert run("remember_people.py", album / "probe.png").stdout == "ana\n"
    refused = run("remember_people.py", album / "grey.png")
    assert refused.returncode == 1
    assert "no face found" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "recognise them" in run("remember_people.py").stderr


def test_the_route_answers_with_the_decision(home: Path, album: Path) -> None:
    client_module = pytest.importorskip(
        "fastapi.testclient", reason="needs FastAPI and httpx: pip install '.[test]'"
    )
    assert run("remember_people.py", "ana", *(album / "ana").iterdir()).returncode == 0
    example = runpy.run_path(str(EXAMPLES / "web_route.py"))
    client = client_module.TestClient(example["app"])
    with (album / "probe.png").open("rb") as photo:
        answer = client.post("/people/ana/verify", files={"photo": photo})
    assert answer.status_code == 200
    assert answer.json()["outcome"] == "unlocked"
    for name, content, status in (("bea", album / "probe.png", 404), ("ana", album, 400)):
        data = content.read_bytes() if content.is_file() else b"no picture"
        answer = client.post(f"/people/{name}/verify", files={"photo": data})
        assert answer.status_code == status
        assert answer.json()["detail"]
    example["vault"].close()


def film(path: Path, *pictures: ByteArray) -> Path:
    """A Motion JPEG film of these pictures, each for three frames."""
    import cv2

    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (width, height))
    for picture in pictures:
        for _ in range(3):
            writer.write(np.ascontiguousarray(picture[:, :, ::-1]))
    writer.release()
    return path


def test_the_camera_loop_ends_when_the_owner_is_seen(
    home: Path, album: Path, shots: list[ByteArray]
) -> None:
    nobody = np.full_like(shots[3], 90)
    seen = run("camera_loop.py", album / "ana", film(album / "seen.avi", nobody, shots[3]))
    lines = seen.stdout.splitlines()
    assert (seen.returncode, len(lines)) == (0, 4)
    assert lines[0].startswith("nan no face found")
    unseen = run("camera_loop.py", album / "ana", film(album / "unseen.avi", nobody))
    assert unseen.returncode == 1
    assert unseen.stdout.endswith("no more pictures\n")
