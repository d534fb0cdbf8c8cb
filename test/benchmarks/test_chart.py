"""The chart of the results."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from benchmarks.bench.chart import draw
from benchmarks.bench.chart import EMPHASIS
from benchmarks.bench.chart import GROUND
from benchmarks.bench.chart import INK
from benchmarks.bench.chart import Panel
from benchmarks.bench.chart import Series
from benchmarks.bench.chart import ticks

SVG = '{http://www.w3.org/2000/svg}'
X = np.asarray([0.05, 0.15, 0.3])


def series(name: str, scale: float = 10.0, emphasised: bool = False) -> Series:
    """Return a line of three points with an interval of +- 1."""
    y = scale * np.sqrt(X)
    return Series(name, X, y, y - 1.0, y + 1.0, emphasised)


def panel(title: str = 'day', *lines: Series) -> Panel:
    """Return a panel with the lines, or with two."""
    chosen = list(lines) or [series('ours', 10.0, True), series('random', 4.0)]
    return Panel(title, 'spend', 'gain', chosen)


def texts(svg: str) -> list[str]:
    """Return every visible text of an SVG."""
    return [node.text or '' for node in ElementTree.fromstring(svg).iter(f'{SVG}text')]


def test_names_with_markup_stay_text() -> None:
    """Titles, labels and names appear as given, whatever characters are in them."""
    made = draw([Panel('a<b & "c"', 'x > 0', '<y>', [series('P(fast wrong) < .5 & up')])])
    shown = texts(made)
    assert all(text in shown for text in ('a<b & "c"', 'x > 0', '<y>', 'P(fast wrong) < .5 & up'))


def test_each_name_is_once_in_the_legend() -> None:
    """A policy that occurs in every panel has one legend entry and one colour."""
    made = draw([panel('one'), panel('two'), panel('three'), panel('four')])
    assert texts(made).count('ours') == 1
    assert texts(made).count('random') == 1
    marks = [
        (group.findtext(f'{SVG}title'), circle.get('fill'))
        for group in ElementTree.fromstring(made).iter(f'{SVG}g')
        for circle in group.iter(f'{SVG}circle')
    ]
    assert len(marks) == 4 * 2 * len(X)
    assert len(set(marks)) == 2


def test_no_two_policies_look_the_same() -> None:
    """Twenty policies have twenty pairs of colour and dash."""
    made = draw([panel('day', *(series(f'policy {k}') for k in range(20)))])
    looks = {
        (path.get('stroke'), path.get('stroke-dasharray'))
        for group in ElementTree.fromstring(made).iter(f'{SVG}g')
        for path in group.iter(f'{SVG}path')
    }
    assert len(looks) == 20


def test_points_lie_where_the_axes_say() -> None:
    """A point at a tick of both axes has the place of the two tick labels."""
    line = Series('ours', np.asarray([0.0, 0.4, 1.0]), np.asarray([0.0, 5.0, 10.0]))
    root = ElementTree.fromstring(draw([panel('day', line)]))
    places = {
        (node.text, node.get('text-anchor')): (float(node.get('x', 0)), float(node.get('y', 0)))
        for node in root.iter(f'{SVG}text')
    }
    group = next(root.iter(f'{SVG}g'))
    middle = list(group.iter(f'{SVG}circle'))[1]
    assert float(middle.get('cx', 0)) == pytest.approx(places['0.4', 'middle'][0], abs=0.11)
    assert float(middle.get('cy', 0)) == pytest.approx(places['5', 'end'][1] - 4.0, abs=0.11)


def test_only_the_emphasised_line_has_a_band() -> None:
    """One band is filled, in the colour of ours, from the lower to the upper end."""
    root = ElementTree.fromstring(draw([panel()]))
    bands = [path for path in root.iter(f'{SVG}path') if path.get('fill-opacity')]
    assert [band.get('fill') for band in bands] == [EMPHASIS]
    assert (bands[0].get('d') or '').count('L') == 2 * len(X) - 1


def test_a_gap_in_the_data_is_a_gap_in_the_line() -> None:
    """A value that is not a number is left out, and the line is not drawn across it."""
    y = np.asarray([1.0, 2.0, np.nan, 3.0, 4.0])
    made = draw([panel('day', Series('ours', np.arange(5.0), y))])
    group = next(ElementTree.fromstring(made).iter(f'{SVG}g'))
    assert len(list(group.iter(f'{SVG}path'))) == 2
    assert len(list(group.iter(f'{SVG}circle'))) == 4
    assert 'nan' not in made


def test_everything_drawn_is_inside_the_picture() -> None:
    """No mark lies outside the view box, with negative gains and bands too."""
    lines = [series('ours', -30.0, True), series('random', 50.0)]
    root = ElementTree.fromstring(draw([panel(str(k), *lines) for k in range(5)]))
    width, height = float(root.get('width', 0)), float(root.get('height', 0))
    marks = list(root.iter(f'{SVG}circle'))
    assert len(marks) == 2 + 5 * 2 * len(X)
    assert all(0.0 < float(mark.get('cx', 0)) < width for mark in marks)
    assert all(0.0 < float(mark.get('cy', 0)) < height for mark in marks)


def test_it_can_be_read_on_a_dark_page() -> None:
    """The ground is painted, all of it, and ink stands out from it by more than 7 : 1."""
    root = ElementTree.fromstring(draw([panel()]))
    ground = next(root.iter(f'{SVG}rect'))
    size = root.get('width'), root.get('height')
    assert (ground.get('width'), ground.get('height')) == size
    assert ground.get('fill') == GROUND

    def luminance(colour: str) -> float:
        channels = [int(colour[k : k + 2], 16) / 255.0 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    assert (luminance(GROUND) + 0.05) / (luminance(INK) + 0.05) > 7.0


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_round_and_inside(low: float, span: float) -> None:
    """They are two to six, evenly spaced by 1, 2 or 5 times a power of ten."""
    high = low + span
    if high - low < 1e-9 * max(abs(low), abs(high)):
        return
    found = ticks(low, high)
    assert 2 <= len(found) <= 6
    tolerance = 1e-6 * span
    assert low - tolerance <= found[0] <= found[-1] <= high + tolerance
    for one, other in zip(found[:-1], found[1:], strict=True):
        digit = f'{other - one:.3e}'[0]
        assert digit in '125'


def test_nothing_to_draw_is_refused() -> None:
    """No panel, no series and no finite value are errors that say so."""
    with pytest.raises(ValueError, match='no panel'):
        draw([])
    for lines in ([], [Series('ours', X, np.full(3, np.nan))]):
        with pytest.raises(ValueError, match="panel 'day'"):
            draw([Panel('day', 'x', 'y', lines)])
