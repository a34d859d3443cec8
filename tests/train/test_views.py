"""Views: what each change does to a crop, alone."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install '.[train]'")

from mien.train.views import ViewSettings, make_views, standardise  # noqa: E402

STILL = ViewSettings(
    side=32, least_crop=1.0, flipped=0.0, colour=0.0, grey=0.0, blurred=0.0, covered=0.0
)


def crops(n: int = 8) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 3, 32, 32), generator=draw, dtype=torch.uint8)


def views(settings: ViewSettings, seed: int = 0, n: int = 8) -> torch.Tensor:
    return make_views(crops(n), settings, torch.Generator().manual_seed(seed))


def changed(**options: float) -> ViewSettings:
    from dataclasses import replace

    return replace(STILL, **options)


def test_without_any_change_a_view_is_the_crop() -> None:
    torch.testing.assert_close(views(STILL), standardise(crops()), atol=1e-4, rtol=0)


def test_a_flipped_view_is_the_mirror_image() -> None:
    mirrored = standardise(crops()).flip(3)
    torch.testing.assert_close(views(changed(flipped=1.0)), mirrored, atol=1e-4, rtol=0)


def test_a_grey_view_has_three_equal_colours() -> None:
    grey = views(changed(grey=1.0))
    torch.testing.assert_close(grey[:, 0], grey[:, 2])


def test_colour_changes_move_the_mean_and_keep_the_range() -> None:
    moved = views(changed(colour=0.4))
    assert not torch.allclose(moved.mean(dim=(1, 2, 3)), views(STILL).mean(dim=(1, 2, 3)), atol=0.1)
    assert moved.abs().max() <= 127.5 / 128 + 1e-6


def test_blur_lowers_the_variance_and_keeps_the_mean() -> None:
    blurred = views(changed(blurred=1.0, blur=8.0))
    assert (blurred.var(dim=(1, 2, 3)) < 0.7 * views(STILL).var(dim=(1, 2, 3))).float().mean() > 0.7
    torch.testing.assert_close(blurred.mean(), views(STILL).mean(), atol=0.02, rtol=0)


def test_cut_out_puts_one_square_of_zeros() -> None:
    covered = views(changed(covered=1.0, cut_out=0.25)) == 0
    assert covered.all(dim=1).sum(dim=(1, 2)).tolist() == [64] * 8


def test_a_cropped_view_shows_a_part_of_the_crop() -> None:
    ramp = torch.arange(32, dtype=torch.uint8).expand(200, 3, 32, 32).contiguous()
    shown = make_views(ramp, changed(least_crop=0.7), torch.Generator().manual_seed(0))
    columns = shown[:, 0, 0] * 128 + 127.5
    width = columns[:, -1] - columns[:, 0]
    assert 0.7 * 31 - 1 < width.min() < 24
    assert 30 < width.max() <= 31.01
    assert columns.min() >= -0.01
    assert columns.max() <= 31.01


def test_the_same_generator_gives_the_same_views_and_another_gives_others() -> None:
    usual = ViewSettings(side=24)
    assert torch.equal(views(usual, seed=3), views(usual, seed=3))
    assert not torch.equal(views(usual, seed=3), views(usual, seed=4))
    assert views(usual).shape == (8, 3, 24, 24)
