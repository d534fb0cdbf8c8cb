"""Random share: invokes a share of the frames that knows nothing about them."""

from __future__ import annotations

from selector.gain import View
from selector.policies.baseline import Baseline
from selector.policies.baseline import within
from selector.policies.draws import Draws


class RandomShare(Baseline):
    """Invokes each frame with the same probability, independently.

    Every gain of a policy is to be compared with this one's at equal spend.
    """

    def __init__(self, share: float, key: bytes = b'random_share') -> None:
        """Take the share of frames in [0, 1] and the key of the draws, one a frame.

        Raises:
            ConfigError: the share or the key is not allowed.
        """
        super().__init__()
        self._share = within('share', share, 0.0, 1.0)
        self._draws = Draws(key)

    def net(self, view: View) -> float:
        """Return the share minus the frame's draw."""
        return self._share - self._draws.next()
