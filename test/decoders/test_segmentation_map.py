"""Segmentation map: regions against a flood fill, boxes against a loop over the cells."""

from __future__ import annotations

import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
import numpy as np
from numpy.typing import NDArray
import pytest
from selector.cards.decoding_card import SegmentationMapCard
from selector.decoders.outputs import fits
from selector.decoders.segmentation_map import decode
from selector.decoders.segmentation_map import labelled
from selector.decoders.segmentation_map import runs
from selector.decoders.segmentation_map import shapes
from selector.errors import PredictionError

MASKS = arrays.arrays(
    np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14)
)


def card(**more: Any) -> SegmentationMapCard:
    """Return a card that keeps regions of any size as they are."""
    return SegmentationMapCard.model_validate(
        {'kind': 'segmentation_map', 'binarise': 0.5, 'min_size_px': 0.0, **more}
    )


def flooded(mask: NDArray[np.bool_], connectivity: int) -> list[list[tuple[int, int]]]:
    """Return the cells of each region, by flood fill."""
    near = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    if connectivity == 8:
        near += [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}
    regions = []
    while left:
        queue, region = [left.pop()], []
        while queue:
            y, x = queue.pop()
            region.append((y, x))
            touched = left & {(y + dy, x + dx) for dy, dx in near}
            left -= touched
            queue += touched
        regions.append(sorted(region))
    return sorted(regions)


@given(MASKS, st.sampled_from([4, 8]))
def test_regions_are_those_of_a_flood_fill(mask: NDArray[np.bool_], connectivity: int) -> None:
    """Every cell of the mask is in one region, that of its neighbours."""
    found = runs(mask)
    regions: dict[int, list[tuple[int, int]]] = {}
    for row, start, end, root in zip(*found, labelled(found, connectivity), strict=True):
        cells = [(int(row), x) for x in range(start, end)]
        regions.setdefault(int(root), []).extend(cells)
    assert sorted(sorted(r) for r in regions.values()) == flooded(mask, connectivity)


@given(
    arrays.arrays(np.float32, (9, 11), elements=st.sampled_from([0.0, 0.25, 0.625, 0.75, 1.0])),
    st.sampled_from([4, 8]),
    st.sampled_from([0.0, 2.0, 3.0]),
    st.sampled_from([0.0, 1.5]),
)
def test_boxes_and_scores(
    scores: NDArray[np.float32], connectivity: int, smallest: float, unclip: float
) -> None:
    """The least box around each region, grown, with the mean of its cells; small ones dropped."""
    of = card(connectivity=connectivity, min_size_px=smallest, unclip=unclip)
    found = decode({'map': scores[None, None]}, of, (18, 44), 0.01)
    expected = []
    for region in flooded(scores > 0.5, connectivity):
        rows, columns = [y for y, _ in region], [x for _, x in region]
        box = [float(min(columns)), min(rows), max(columns) + 1, max(rows) + 1]
        wide, high = box[2] - box[0], box[3] - box[1]
        if min(wide, high) >= smallest:
            grown = wide * high * unclip / (2 * (wide + high))
            box = [box[0] - grown, box[1] - grown, box[2] + grown, box[3] + grown]
            mean = sum(float(scores[cell]) for cell in region) / len(region)
            expected.append([box[0] * 4, box[1] * 2, box[2] * 4, box[3] * 2, mean])
    table = np.column_stack([found.xyxy, found.scores])
    assert len(table) == len(expected)
    if expected:
        assert np.array(sorted(table.tolist())) == pytest.approx(np.array(sorted(expected)))


def test_a_map_for_each_label() -> None:
    """The class of a box is its map."""
    maps = np.zeros((1, 3, 8, 8), np.float32)
    maps[0, 0, 1:3, 1:3] = maps[0, 2, 4:8, 4:8] = 0.9
    found = decode({'map': maps}, card(), (8, 8), 0.3)
    assert found.class_ids.tolist() == [0, 2]
    assert found.xyxy.tolist() == [[1, 1, 3, 3], [4, 4, 8, 8]]
    assert fits(maps.shape, shapes(card(), 3)['map'])
    assert not fits(maps.shape, shapes(card(), 2)['map'])
    assert fits((8, 8), shapes(card(), 1)['map'])


def test_logits_and_their_absence() -> None:
    """A map of logits is told, with the key; with it, the sigmoid is taken."""
    logits = np.where(np.eye(4) > 0, 4.0, -4.0)[None, None]
    with pytest.raises(PredictionError, match='apply_sigmoid: true'):
        decode({'map': logits}, card(), (4, 4), 0.3)
    found = decode({'map': logits}, card(apply_sigmoid=True), (4, 4), 0.3)
    assert found.scores == pytest.approx([1.0 / (1.0 + np.exp(-4.0))])


@pytest.mark.parametrize('shape', [(1, 1, 0, 5), (1, 1, 5, 0), (1, 1, 1, 1)])
def test_an_empty_map_holds_no_box(shape: tuple[int, ...]) -> None:
    """Nothing above the level, or no cell at all."""
    assert len(decode({'map': np.zeros(shape)}, card(), (5, 5), 0.3).scores) == 0


def test_nan_is_told() -> None:
    """NaN anywhere in the map."""
    with pytest.raises(PredictionError, match='NaN'):
        decode({'map': np.array([[0.1, np.nan]])}, card(), (1, 2), 0.3)


@pytest.mark.parametrize('kind', ['noise', 'comb', 'snake', 'full'])
def test_the_worst_maps_end_soon(kind: str) -> None:
    """Noise, teeth that meet in the last row only, one long snake: far below five seconds."""
    mask = np.zeros((960, 960), np.bool_)
    if kind == 'noise':
        mask = np.random.default_rng(0).random((960, 960)) < 0.55
    elif kind == 'comb':
        mask[:, ::2] = mask[-1] = True
    elif kind == 'snake':
        mask[::2] = mask[1::4, -1:] = mask[3::4, :1] = True
    else:
        mask[:] = True
    start = time.perf_counter()
    found = decode({'map': mask.astype(np.float32)}, card(), (960, 960), 0.3)
    assert time.perf_counter() - start < 5.0
    if kind != 'noise':
        assert found.xyxy.tolist() == [[0, 0, 960, 960]]
