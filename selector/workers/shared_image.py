"""Shared image: the one image of a call, in memory that two processes map.

The memory has no name, so that nothing is left behind whoever is killed when: the kernel frees it
with the last process that has it open.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile

import numpy as np
from numpy.typing import NDArray


class SharedImage:
    """Memory for one image at a time; one process writes, the other reads, in turn.

    Attributes:
        fd: the file descriptor that stands for the memory.
    """

    def __init__(self, fd: int | None = None) -> None:
        """Make the memory, empty, or take the one that another process has made."""
        self.fd = _nameless() if fd is None else fd
        self._map: mmap.mmap | None = None

    def write(self, image: NDArray[np.uint8]) -> None:
        """Copy an image (H, W, C) uint8 in.

        Raises:
            OSError: there is no memory for it.
        """
        if self._map is None or len(self._map) < image.nbytes:
            # Taken now, not at the first touch: a lack of memory is an error here, not a signal.
            _allocate(self.fd, image.nbytes)
        np.copyto(self._view(image.shape, image.nbytes), image)

    def read(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return a copy of what was written; the model may keep it, or write to it.

        Raises:
            MemoryError: there is no memory for the copy.
        """
        return self._view(shape, int(np.prod(shape))).copy()

    def close(self) -> None:
        """Let the memory go."""
        if self._map is not None:
            self._map.close()
        os.close(self.fd)

    def _view(self, shape: tuple[int, ...], size: int) -> NDArray[np.uint8]:
        if self._map is None or len(self._map) < size:
            if self._map is not None:
                self._map.close()
            self._map = mmap.mmap(self.fd, size)
        return np.ndarray(shape, np.uint8, self._map)


def _allocate(fd: int, size: int) -> None:
    if sys.platform == 'linux':
        os.posix_fallocate(fd, 0, size)
    else:
        os.ftruncate(fd, size)


def _nameless() -> int:
    if sys.platform == 'linux':
        return os.memfd_create('selector_image')
    else:
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())
