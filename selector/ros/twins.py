"""Twins: the same image, delivered raw and compressed."""

from __future__ import annotations

_RECENT_STAMPS = 64


class Twins:
    """Recognises an image that came by the other transport before.

    A camera driver often publishes each image raw and compressed; answering both would spend the
    budget twice.
    """

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._recent: dict[int, type[object]] = {}

    def seen(self, stamp_ns: int, kind: type[object]) -> bool:
        """Return whether another kind of image had this stamp [ns]; an unset one says nothing."""
        first = self._recent.setdefault(stamp_ns, kind)
        if len(self._recent) > _RECENT_STAMPS:
            del self._recent[next(iter(self._recent))]
        return first is not kind and stamp_ns != 0
