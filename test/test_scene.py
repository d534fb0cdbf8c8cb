"""Scene: a look at an image, and how unlike two looks are."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest
from scripted import PATIENT
from selector.errors import InputError
from selector.scene import CELLS
from selector.scene import change
from selector.scene import Look
from selector.scene import look
from selector.scene import overlap

Image = NDArray[np.uint8]


def _noise(seed: int, height: int = 96, width: int = 128) -> Image:
    """Return an image of smooth blobs with a contrast of about 50 grey levels."""
    draw = np.random.default_rng(seed)
    coarse = draw.integers(20, 220, (height // 16 + 1, width // 16 + 1))
    full = np.kron(coarse, np.ones((16, 16), np.int64))[:height, :width]
    return np.repeat(full[:, :, None], 3, axis=2).astype(np.uint8)


@st.composite
def images(draw: st.DrawFn) -> Image:
    """Draw an image of any small or odd size: noise, blobs or flat."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 300))
    seed = draw(st.integers(0, 1000))
    kind = draw(st.sampled_from(['noise', 'blobs', 'flat']))
    random = np.random.default_rng(seed)
    if kind == 'noise':
        return random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == 'blobs':
        return _noise(seed, height, width)
    return np.full((height, width, 3), seed % 256, np.uint8)


@PATIENT
@given(images())
def test_a_look_is_within_its_ranges(image: Image) -> None:
    """Sharpness and exposure in [0, 1], a thumbnail of grey levels, down to a single pixel."""
    found = look(image)
    assert found.thumbnail.shape == (CELLS, CELLS)
    assert found.thumbnail.dtype == np.float32
    assert 0.0 <= found.thumbnail.min() <= found.thumbnail.max() <= 255.0
    assert 0.0 <= found.sharpness <= 1.0
    assert 0.0 <= found.exposure <= 1.0


@PATIENT
@given(images(), images())
def test_change_is_symmetric_and_in_range(one: Image, other: Image) -> None:
    """In [0, 1] and the same either way round."""
    forth, back = change(look(one), look(other)), change(look(other), look(one))
    assert 0.0 <= forth <= 1.0
    assert back == pytest.approx(forth, abs=1e-6)


@pytest.mark.parametrize('seed', range(5))
def test_equal_looks_have_not_changed(seed: int) -> None:
    """An image beside itself: hardly any change (what is left is the floor for flat images)."""
    assert change(look(_noise(seed)), look(_noise(seed))) < 0.01


def test_a_flat_image_tells_nothing() -> None:
    """Without contrast there is no likeness, not even to itself: everything has changed."""
    flat = look(np.full((48, 64, 3), 90, np.uint8))
    assert change(flat, flat) == 1.0
    assert change(flat, look(_noise(0))) == 1.0
    assert (flat.sharpness, flat.exposure) == (0.0, pytest.approx(90 / 255))


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize(('gain', 'offset'), [(0.5, 0), (0.8, 30), (1.0, 25), (0.4, 120)])
def test_exposure_and_contrast_are_no_change(seed: int, gain: float, offset: int) -> None:
    """A darker, brighter or flatter picture of the same thing has hardly changed."""
    image = _noise(seed)
    other = np.clip(image * gain + offset, 0, 255).astype(np.uint8)
    assert change(look(image), look(other)) < 0.05


@pytest.mark.parametrize('seed', range(5))
def test_another_scene_is_a_change(seed: int) -> None:
    """Unrelated images are unlike, an inverted one entirely; a shift of a few pixels is little."""
    image = _noise(seed)
    assert change(look(image), look(_noise(seed + 100))) > 0.5
    assert change(look(image), look(255 - image)) == 1.0
    assert change(look(image), look(np.roll(image, 2, axis=1))) < 0.35


def test_change_grows_with_what_has_changed() -> None:
    """The more columns show something else, the larger the change."""
    image, other = _noise(1), _noise(2)
    found = []
    for columns in (0, 16, 48, 96, 128):
        mixed = image.copy()
        mixed[:, :columns] = other[:, :columns]
        found.append(change(look(image), look(mixed)))
    assert found == sorted(found)
    assert found[-1] > 0.5


def test_sharpness_falls_with_blur() -> None:
    """Fine noise is sharp; averaged over 9 pixels it is less so; blobs are the least."""
    draw = np.random.default_rng(3)
    fine = draw.integers(0, 256, (96, 96), dtype=np.int64)
    blurred = sum(np.roll(fine, (a, b), (0, 1)) for a in (-1, 0, 1) for b in (-1, 0, 1)) // 9
    sharpness = [
        look(np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)).sharpness
        for grey in (fine, blurred)
    ]
    assert sharpness[0] > 0.6
    assert 1.5 * sharpness[1] < sharpness[0]
    assert look(_noise(0, 96, 96)).sharpness < sharpness[1]


def test_exposure_is_the_mean_luminance() -> None:
    """Black 0, white 1; green weighs most, as an eye sees it."""
    black = np.zeros((20, 20, 3), np.uint8)
    assert look(black).exposure == 0.0
    assert look(black + 255).exposure == 1.0
    shown = []
    for channel in range(3):
        image = black.copy()
        image[..., channel] = 255
        shown.append(look(image).exposure)
    assert shown == pytest.approx([0.299, 0.587, 0.114], abs=0.01)


def test_the_thumbnail_is_the_mean_of_each_cell() -> None:
    """24 x 36 pixels: cells of 2 x 3, checked with numpy's mean; 1 x 1 is enlarged."""
    grey = np.random.default_rng(0).integers(0, 256, (24, 36), dtype=np.uint8)
    image = np.repeat(grey[:, :, None], 3, axis=2)
    cells = grey.astype(np.float64).reshape(12, 2, 12, 3).mean(axis=(1, 3))
    assert look(image).thumbnail == pytest.approx(cells, abs=1e-3)
    assert (look(np.full((1, 1, 3), 7, np.uint8)).thumbnail == 7.0).all()


def test_a_large_image_is_looked_at_in_parts() -> None:
    """At five times the size the look is nearly the same: it reads every fifth pixel."""
    small = _noise(4, 120, 160)
    large = np.kron(small, np.ones((5, 5, 1), np.uint8))
    assert change(look(small), look(large)) < 0.01
    assert look(large).exposure == pytest.approx(look(small).exposure, abs=0.01)


@pytest.mark.parametrize(
    'shape', [(4, 4), (4, 4, 1), (4, 4, 4), (0, 4, 3), (4, 0, 3), (4, 4, 3, 1), (3,)]
)
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    """Grey, with alpha, empty: refused by its shape."""
    with pytest.raises(InputError, match='shape'):
        look(np.zeros(shape, np.uint8))


def test_a_look_leaves_the_image_alone() -> None:
    """The image may be read only, and is not written to."""
    image = _noise(5)
    image.flags.writeable = False
    before = image.copy()
    found: Look = look(image)
    assert found.exposure > 0.0
    assert (image == before).all()


@PATIENT
@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)), min_size=1, max_size=12))
def test_overlap_is_the_mass_in_common(pairs: Any) -> None:
    """Of two distributions: in [0, 1], symmetric, 1 of equals, 1 - total variation."""
    one, other = (np.array(column) for column in zip(*pairs, strict=True))
    one, other = one + 1e-9, other + 1e-9
    one, other = one / one.sum(), other / other.sum()
    found = overlap(one.tolist(), other.tolist())
    assert found == pytest.approx(1.0 - 0.5 * np.abs(one - other).sum(), abs=1e-9)
    assert found == overlap(other.tolist(), one.tolist())
    assert overlap(one.tolist(), one.tolist()) == pytest.approx(1.0)
    with pytest.raises(ValueError):
        overlap([0.5, 0.5], [1.0])
