"""Frame: one image as it came from the camera."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Frame(NamedTuple):
    """One received camera image.

    Attributes:
        sequence: running number of the frame within the mission, from 0.
        stamp_ns: header stamp [ns]; the only time that budget and ages know.
        frame_id: ROS coordinate frame of the header.
        camera: name of the camera (topic namespace), '' for the only one.
        image: (H, W, 3) uint8 RGB, or None when it could not be decoded.
        digest: first 16 hex digits of the SHA-256 of the message payload.
        fault: '' or, when the image could not be decoded, why.
    """

    sequence: int
    stamp_ns: int
    frame_id: str
    camera: str
    image: NDArray[np.uint8] | None
    digest: str
    fault: str = ''
