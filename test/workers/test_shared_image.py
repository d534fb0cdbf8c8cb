"""Shared image: what one side writes the other reads, whatever its size, and no name is left."""

from __future__ import annotations

from collections.abc import Iterator
import errno
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from selector.workers import shared_image
from selector.workers.shared_image import SharedImage

SIDE = st.integers(1, 70)


@pytest.fixture
def ends() -> Iterator[tuple[SharedImage, SharedImage]]:
    """Return the writer's and the reader's end."""
    made = SharedImage()
    taken = SharedImage(os.dup(made.fd))
    yield made, taken
    made.close()
    taken.close()


@given(st.lists(st.tuples(SIDE, SIDE), max_size=6), st.booleans())
def test_images_of_any_size(sizes: list[tuple[int, int]], turned: bool) -> None:
    """Larger and smaller images in turn arrive as they are, also where rows are not in order."""
    made = SharedImage()
    taken = SharedImage(os.dup(made.fd))
    for number, (height, width) in enumerate(sizes):
        image = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
        image = image[::-1, :, ::-1] if turned else image
        made.write(image)
        assert np.array_equal(taken.read(image.shape), image)
    made.close()
    taken.close()


def test_what_is_read_is_a_copy(ends: tuple[SharedImage, SharedImage]) -> None:
    """What was read stays as it is when the next image comes, and may be written to."""
    made, taken = ends
    made.write(np.full((4, 4, 3), 7, np.uint8))
    first = taken.read((4, 4, 3))
    made.write(np.full((4, 4, 3), 8, np.uint8))
    assert (first == 7).all()
    first[:] = 9
    assert (taken.read((4, 4, 3)) == 8).all()


def test_no_memory_is_an_error(
    ends: tuple[SharedImage, SharedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no room the writer is told, and can go on with a smaller image."""
    made, taken = ends
    made.write(np.full((2, 2, 3), 1, np.uint8))

    def full(_fd: int, _size: int) -> None:
        raise OSError(errno.ENOSPC, 'no space')

    monkeypatch.setattr(shared_image, '_allocate', full)
    with pytest.raises(OSError, match='no space'):
        made.write(np.zeros((400, 400, 3), np.uint8))
    made.write(np.full((1, 1, 3), 2, np.uint8))
    assert (taken.read((1, 1, 3)) == 2).all()


def test_it_has_no_name(ends: tuple[SharedImage, SharedImage]) -> None:
    """There is nothing in a folder to be left behind."""
    made, _ = ends
    made.write(np.zeros((480, 640, 3), np.uint8))
    link = Path(f'/proc/self/fd/{made.fd}')
    if not link.exists():
        pytest.skip('there is no /proc here')
    assert os.readlink(link).endswith('(deleted)')
    assert os.fstat(made.fd).st_nlink == 0
