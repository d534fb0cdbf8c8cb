"""The renderer of the demo stream."""

from __future__ import annotations

import io
from pathlib import Path
import sys

import numpy as np
from numpy.typing import NDArray
import pytest

Image = pytest.importorskip('PIL.Image', reason='Pillow is not installed')
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'bags'))
import render  # noqa: E402

STILL = render.Motion(0.0, 0.0, 1.0, 1.0, 8.0, 0.2, 3.0)
QUIET = np.zeros((render.HEIGHT, render.WIDTH, 3))


def _object(seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def _square(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    left = (render.WIDTH - render.SQUARE) // 2
    return frame[:, left : left + render.SQUARE].astype(np.float64)


def _gradient(frame: NDArray[np.uint8], axis: int) -> float:
    return float(np.square(np.diff(_square(frame), axis=axis)).mean())


@pytest.mark.parametrize('context', render.CONTEXTS)
def test_a_frame_is_an_image_of_the_declared_size(context: str) -> None:
    """Every context gives (HEIGHT, WIDTH, 3) uint8 that is not of one colour."""
    frame = render.render(_object(), STILL, context, QUIET)
    assert frame.shape == (render.HEIGHT, render.WIDTH, 3)
    assert frame.dtype == np.uint8
    assert frame.std() > 5.0


@pytest.mark.parametrize('context', render.CONTEXTS)
def test_the_same_arguments_give_the_same_frame(context: str) -> None:
    """The renderer keeps no state: two calls with equal draws are equal, pixel by pixel."""
    frames = []
    for _ in range(2):
        draw = np.random.default_rng(5)
        motion = render.draw_sway(draw).at(1.3, 7.0)
        frames.append(render.render(_object(), motion, context, render.draw_noise(draw)))
    assert np.array_equal(frames[0], frames[1])


def test_dusk_is_darker_bluer_and_noisier_than_day() -> None:
    """Dusk darkens to 0.5 to 0.6 of day, favours blue over red, and passes the noise on."""
    draw = np.random.default_rng(2)
    noise = render.draw_noise(draw)
    day = render.render(_object(), STILL, 'day', noise).astype(float)
    dusk = render.render(_object(), STILL, 'dusk', noise).astype(float)
    quiet = render.render(_object(), STILL, 'dusk', QUIET).astype(float)
    assert 0.5 < dusk.mean() / day.mean() < 0.6
    assert (
        quiet[..., 2].mean() / quiet[..., 0].mean() > 1.2 * day[..., 2].mean() / day[..., 0].mean()
    )
    assert (dusk - quiet).std() == pytest.approx(render.DUSK_NOISE, rel=0.15)


def test_motion_blur_lowers_the_gradient_along_the_smear_most() -> None:
    """A horizontal smear takes away most horizontal detail and leaves vertical detail alone."""
    flat = STILL._replace(blur_slope=0.0)
    sharp = render.render(_object(), flat, 'day', QUIET)
    blurred = render.render(_object(), flat, 'motion_blur', QUIET)
    assert _gradient(blurred, 1) < 0.4 * _gradient(sharp, 1)
    assert _gradient(blurred, 0) / _gradient(sharp, 0) > _gradient(blurred, 1) / _gradient(
        sharp, 1
    )


def test_a_longer_smear_blurs_more() -> None:
    """Gradient energy falls with the length of the smear."""
    energies = [
        _gradient(render.render(_object(), STILL._replace(blur_px=b), 'motion_blur', QUIET), 1)
        for b in (2.0, 6.0, 14.0)
    ]
    assert energies == sorted(energies, reverse=True)


def test_a_dirty_lens_lowers_contrast_and_its_smudges_stay_in_place() -> None:
    """The dirt is fixed to the lens: it hides the same pixels whatever the object does."""
    pairs = [(_object(k), STILL._replace(pan_x_px=p)) for k, p in ((1, 0.0), (2, 5.0), (3, -5.0))]
    x, y = (int(value) for value in render.SMUDGES[0][:2])
    smudged = 1.0 - (1.0 - render.VEIL) * (1.0 - render.SMUDGES[0][4])
    for image, motion in pairs:
        clean = render.render(image, motion, 'day', QUIET).astype(float)
        dirty = render.render(image, motion, 'dirty_lens', QUIET).astype(float)
        assert _square(dirty).std() < 0.85 * _square(clean).std()
        hidden = np.abs(dirty - clean).sum(-1) / np.abs(clean - render.VEIL_COLOUR).sum(-1)
        assert hidden[y, x] == pytest.approx(smudged, abs=0.03)
        assert hidden[60, 80] == pytest.approx(render.VEIL, abs=0.03)


def test_the_exposure_scales_the_frame() -> None:
    """Mean brightness follows the exposure where nothing saturates."""
    grey = np.full((32, 32, 3), 100, np.uint8)
    low, high = (
        _square(render.render(grey, STILL._replace(exposure=e), 'day', QUIET)).mean()
        for e in (0.9, 1.1)
    )
    assert high / low == pytest.approx(1.1 / 0.9, rel=0.02)


@pytest.mark.parametrize('seed', range(20))
def test_motion_stays_within_its_declared_bounds(seed: int) -> None:
    """Pan, zoom and exposure never leave their ranges and never jump between frames at 10 Hz."""
    sway = render.draw_sway(np.random.default_rng(seed))
    path = [sway.at(k / 10.0, 0.0) for k in range(31)]
    for motion in path:
        assert abs(motion.pan_x_px) <= render.MAX_PAN_PX
        assert abs(motion.pan_y_px) <= render.MAX_PAN_PX
        assert render.ZOOM[0] <= motion.zoom <= render.ZOOM[1]
        assert abs(motion.exposure - 1.0) <= render.EXPOSURE_WOBBLE + 1e-9
        assert render.BLUR_PX[0] <= motion.blur_px <= render.BLUR_PX[1]
    for before, after in zip(path, path[1:], strict=False):
        assert abs(after.pan_x_px - before.pan_x_px) < 2.0
        assert abs(after.zoom - before.zoom) < 0.01


@pytest.mark.parametrize('seed', range(20))
def test_the_object_fills_the_centre_square(seed: int) -> None:
    """At least 86 % of each side of the square that the classifier sees is the object."""
    motion = render.draw_sway(np.random.default_rng(seed)).at(seed / 10.0, 0.0)
    left, top, right, bottom = render.object_box(motion)
    side = (render.WIDTH - render.SQUARE) / 2.0
    inside = (
        min(right, side + render.SQUARE) - max(left, side),
        min(bottom, float(render.HEIGHT)) - max(top, 0.0),
    )
    assert min(inside) >= 0.86 * render.SQUARE


def test_the_square_reduced_to_32_resembles_the_source() -> None:
    """Still and in daylight, the classifier's view correlates with the source image above 0.95."""
    source = np.kron(_object().astype(float)[::4, ::4], np.ones((4, 4, 1)))
    frame = render.render(source.astype(np.uint8), STILL, 'day', QUIET)
    square = Image.fromarray(_square(frame).astype(np.uint8))
    view = np.asarray(square.resize((32, 32), Image.Resampling.BILINEAR), float)
    assert np.corrcoef(view.ravel(), source.ravel())[0, 1] > 0.95


def test_walking_moves_the_walls_but_not_the_far_end() -> None:
    """Parallax: near surfaces change as the robot drives, the far end of the corridor does not."""
    change = np.abs(render.corridor(0.0, 0.0) - render.corridor(0.5, 0.0)).mean(axis=2)
    assert change[:, :20].mean() > 1.0
    assert change[50:57, 77:83].mean() < 0.1 * change[:, :20].mean()


def test_jpeg_keeps_the_size_and_nearly_the_colours() -> None:
    """An encoded frame decodes to the same size, off by a few grey levels in the mean."""
    smooth = np.kron(_object()[::8, ::8], np.ones((8, 8, 1))).astype(np.uint8)
    frame = render.render(smooth, STILL, 'day', QUIET)
    decoded = np.asarray(Image.open(io.BytesIO(render.encode(frame))))
    assert decoded.shape == frame.shape
    assert np.abs(decoded.astype(float) - frame).mean() < 8.0


@pytest.mark.parametrize(
    ('image', 'context', 'names'),
    [
        (np.zeros((32, 32, 3), np.uint8), 'fog', 'fog'),
        (np.zeros((8, 8, 3), np.uint8), 'day', '32'),
    ],
)
def test_wrong_arguments_are_named(image: NDArray[np.uint8], context: str, names: str) -> None:
    """An unknown context or a wrong shape is refused with what would be right."""
    with pytest.raises(ValueError, match=names):
        render.render(image, STILL, context, QUIET)
