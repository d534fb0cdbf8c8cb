"""Segmentation map: the connected regions of a map of scores become boxes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.cards.decoding_card import SegmentationMapCard
from selector.decoders.candidates import Candidates
from selector.decoders.candidates import checked
from selector.decoders.outputs import Arrays
from selector.decoders.outputs import floats
from selector.decoders.outputs import Shapes
from selector.decoders.outputs import sigmoid

_ADVICE = '; of logits the card says decoding: {kind: segmentation_map, apply_sigmoid: true}'


class Runs(NamedTuple):
    """Stretches of cells in a row that lie above a level, in the order of reading.

    Attributes:
        rows: (R,) row of each.
        starts, ends: (R,) first column, and the one after the last.
    """

    rows: NDArray[np.intp]
    starts: NDArray[np.intp]
    ends: NDArray[np.intp]


def shapes(_card: SegmentationMapCard, classes: int) -> Shapes:
    """Return the shapes of the output: one map a label."""
    single = ((None, None),) if classes == 1 else ()
    return {'map': ((1, classes, None, None), (classes, None, None), *single)}


def decode(
    outputs: Arrays, card: SegmentationMapCard, input_px: tuple[int, int], score_min: float
) -> Candidates:
    """Return a box for each region whose mean score is above `score_min`.

    Raises:
        PredictionError: a score is NaN or above 1.
    """
    array = floats(outputs['map'])
    if not array.size:
        return Candidates(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.intp))
    maps = array.reshape(-1, *array.shape[-2:])
    if card.apply_sigmoid:
        maps = sigmoid(maps)
    found = [_regions(one, card) for one in checked(maps, _ADVICE)]
    ids = [np.full(len(scores), k, np.intp) for k, (_, scores) in enumerate(found)]
    boxes, scores = (np.concatenate(part) for part in zip(*found, strict=True))
    kept = scores > score_min
    height, width = maps.shape[1:]
    px = np.array([input_px[1] / width, input_px[0] / height] * 2)
    return Candidates(boxes[kept] * px, np.minimum(scores[kept], 1.0), np.concatenate(ids)[kept])


def runs(mask: NDArray[np.bool_]) -> Runs:
    """Return the runs of a mask (H, W)."""
    height, width = mask.shape
    padded = np.zeros((height, width + 2), np.bool_)
    padded[:, 1:-1] = mask
    flat = padded.reshape(-1)
    turns = np.flatnonzero(flat[1:] != flat[:-1])
    rows, starts = np.divmod(turns[::2], width + 2)
    return Runs(rows, starts, turns[1::2] - rows * (width + 2))


def labelled(found: Runs, connectivity: int) -> NDArray[np.intp]:
    """Return the region (R,) of each run, as the index of its first run.

    Pairs of runs that touch from one row to the next are found by bisection, and joined by
    hooking the higher of two roots onto the lower, all at once, until no pair differs.

    Args:
        found: the runs.
        connectivity: 4, or 8 where corners touch.
    """
    count = len(found.rows)
    upper, lower = _touching(found, 1 if connectivity == 8 else 0)
    root: NDArray[np.intp] = np.arange(count)
    while (differ := root[upper] != root[lower]).any():
        upper, lower = upper[differ], lower[differ]
        one, other = root[upper], root[lower]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while ((above := root[root]) != root).any():
            root = above
    return root


def _touching(found: Runs, reach: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs (P,), (P,) of runs in neighbouring rows that touch."""
    rows, starts, ends = found
    stride = int(ends.max(initial=0)) + 2
    base = (rows + 1) * stride  # where the next row begins on one long line
    first = np.searchsorted(rows * stride + ends, base + starts - reach, side='right')
    last = np.searchsorted(rows * stride + starts, base + ends + reach, side='left')
    counts = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(rows)), counts)
    place = np.arange(len(upper)) - np.repeat(np.cumsum(counts) - counts, counts)
    return upper, np.repeat(first, counts) + place


def _regions(
    scores: NDArray[np.floating], card: SegmentationMapCard
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the boxes (K, 4) [px of the map] and mean scores (K,) of the regions of one map."""
    found = runs(scores > card.binarise)
    if not len(found.rows):
        return np.zeros((0, 4)), np.zeros(0)
    root = labelled(found, card.connectivity)
    order = np.argsort(root, kind='stable')
    begins = np.flatnonzero(np.diff(root[order], prepend=-1))
    rows, starts, ends = (part[order] for part in found)
    cells = np.add.reduceat(ends - starts, begins)
    sums = np.add.reduceat(_sums(scores, found)[order], begins)
    boxes = np.stack(
        [
            np.minimum.reduceat(starts, begins),
            np.minimum.reduceat(rows, begins),
            np.maximum.reduceat(ends, begins),
            np.maximum.reduceat(rows, begins) + 1,
        ],
        axis=1,
    ).astype(np.float64)
    large = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= card.min_size_px
    return _grown(boxes[large], card.unclip), (sums / cells)[large]


def _sums(scores: NDArray[np.floating], found: Runs) -> NDArray[np.float64]:
    """Return the sum of the scores of each run."""
    width = scores.shape[1]
    flat = np.append(scores.reshape(-1).astype(np.float64), 0.0)
    bounds = np.stack([found.rows * width + found.starts, found.rows * width + found.ends], axis=1)
    return np.asarray(np.add.reduceat(flat, bounds.reshape(-1))[::2])


def _grown(boxes: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    sides = boxes[:, 2:] - boxes[:, :2]
    offset = sides.prod(axis=1) * ratio / (2.0 * sides.sum(axis=1))
    return np.asarray(boxes + offset[:, None] * np.array([-1.0, -1.0, 1.0, 1.0]))
