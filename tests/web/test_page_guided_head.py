"""Guided enrollment in a real browser, before a camera that shows a rendered head as it turns.

The film is a rendering of one photograph on the mesh of its face, no recording: straight ahead, to
the person's left, to the right, closer, and straight ahead again, over and over.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.app.turning_head import TurningHead
from tests.web.conftest import ALLOWED, CAMERA, Service, write_y4m
from tests.web.page_actions import expect, open_page

from mien.app.pipeline import Pipeline
from mien.liveness.mesh import open_mesh
from mien.results import ByteArray
from mien.settings import Settings

POSES = ((0, 1.0), (18, 1.0), (0, 1.0), (-18, 1.0), (0, 1.0), (0, 1.25))
"""Degrees to the person's left, and how close; each for two seconds."""


def framed(head: ByteArray, closeness: float) -> ByteArray:
    """The square picture as a camera of 4:3 sees it, its middle enlarged."""
    side = len(head)
    inner = round(side / closeness)
    edge = (side - inner) // 2
    cut = np.ascontiguousarray(head[edge // 2 : edge // 2 + inner, edge : edge + inner])
    whole = cv2.resize(cut, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.pad(whole, ((0, 0), (side // 6, side // 6), (0, 0)), mode="edge")


@pytest.fixture
def film(with_liveness: Settings, pipeline: Pipeline, astronaut: ByteArray, tmp_path: Path) -> Path:
    mesh = open_mesh(with_liveness)(astronaut, pipeline.door_face(astronaut))
    head, shots = TurningHead(astronaut, mesh), []
    for number, (degrees, closeness) in enumerate(POSES):
        shots.append(tmp_path / f"{number}.png")
        Image.fromarray(framed(head.seen(degrees), closeness)).save(shots[-1])
    return write_y4m(shots, tmp_path / "head.y4m", frames_each=20)


def test_a_head_that_turns_is_enrolled_and_tries_it_at_once(
    chromium: Callable[..., Any], service: Service, film: Path
) -> None:
    browser = chromium(ALLOWED, CAMERA, f"--use-file-for-fake-video-capture={film}")
    page = open_page(browser, f"{service.address}/#{service.token}")
    page.wait_for_selector("#view-enroll:not([hidden])")
    page.fill("#enroll-user", "eileen")
    page.click("#enroll-camera")
    expect(page.locator("#enroll-photos li")).to_have_count(5)
    assert page.locator("#enroll-photos li.bad").count() == 0
    page.click("#enroll-send")
    expect(page.locator("#enroll-result .result")).to_have_text("eileen is enrolled")
    assert "Looks like" not in page.inner_text("#enroll-result")
    page.click("text=Try it now")
    expect(page.locator("#unlock-result")).to_have_text("Unlocked")
    page.close()
