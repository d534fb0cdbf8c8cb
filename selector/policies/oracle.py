"""Oracle: gains that somebody else knows, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
import math

from selector.errors import InputError
from selector.gain import View
from selector.policies.baseline import Baseline
from selector.policies.baseline import within


class OracleGain(Baseline):
    """Reads its gains from a list, one a frame, in the order of the calls.

    With the realised gains L_fast - L_slow of the stream it is the realized-gain oracle, which no
    policy can reach: it sees the labels of frames before they are decided. With the out-of-fold
    predictions of an offline router it is the full-information router. Name which one a result
    is. At threshold 0 and with prices on it is that router under our prices.
    """

    reference = 'LABEL'

    def __init__(self, gains: Sequence[float], threshold: float = 0.0) -> None:
        """Take the gains (N,) in [-1, 1], one a frame and for every tier, and the threshold.

        Raises:
            ConfigError: the threshold is outside [-1, 1].
            InputError: a gain is NaN or infinite.
        """
        super().__init__()
        self._gains = tuple(map(float, gains))
        if not all(map(math.isfinite, self._gains)):
            raise InputError('a gain of the oracle is NaN or infinite')
        self._threshold = within('threshold', threshold, -1.0, 1.0)
        self._frame = 0

    def net(self, view: View) -> float:
        """Return the frame's gain minus the threshold.

        Raises:
            InputError: more frames are asked for than there are gains.
        """
        if self._frame == len(self._gains):
            raise InputError(
                f'the oracle was given {self._frame} gains and is asked for frame '
                f'{self._frame + 1}; give it one a frame'
            )
        self._frame += 1
        return self._gains[self._frame - 1] - self._threshold
