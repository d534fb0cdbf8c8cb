"""Chart: one SVG of small multiples, gain against spend, that a person can read.

Plain text without scripts, fonts or links, so that it shows anywhere; on a light ground of its
own, so that it shows on a dark page too. A series keeps its colour in every panel, and dashes tell
lines apart where colours do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

COLUMNS = 3
WIDTH, HEIGHT = 330, 260  # of a panel with its margins [px]
LEFT, RIGHT, TOP, BOTTOM = 50, 14, 34, 44  # margins of a panel [px]
EDGE = 14
LEGEND_ROW, LEGEND_COLUMN = 22, 240
TICKS = 5
EMPHASIS = '#0b5fa5'
COLOURS = ('#c8500a', '#1b8a5a', '#8e4a9e', '#7a6a00', '#c2185b', '#4d5a66', '#0a7f94', '#8b3a2b')
DASHES = ('', '7 3', '2 3', '9 3 2 3')
GROUND, INK, FAINT, GRID = '#fcfcfa', '#1c1e21', '#565a60', '#dddfe2'


class Series(NamedTuple):
    """One policy in one panel.

    Attributes:
        name: in the legend; the same name has the same colour in every panel.
        x: (K,) increasing; a single point is shown as a mark.
        y: (K,) NaN leaves a gap.
        low: (K,) lower end of the interval, None where there is none.
        high: (K,) upper end.
        emphasised: drawn thick and in front, and with its interval as a band.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    emphasised: bool = False


class Panel(NamedTuple):
    """One diagram: its title, what the axes show, and the series, at least one."""

    title: str
    x_label: str
    y_label: str
    series: list[Series]


class Style(NamedTuple):
    """How a series is drawn."""

    colour: str
    dash: str
    width_px: float


class Frame(NamedTuple):
    """Where the data of a panel lie: the ranges of both axes and the corner of the panel."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    left_px: float
    top_px: float

    def x(self, value: float) -> float:
        """Return the place of a value on the x axis [px]."""
        low, high = self.x_range
        return self.left_px + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return the place of a value on the y axis [px]."""
        low, high = self.y_range
        return self.top_px + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)


def draw(panels: list[Panel]) -> str:
    """Return the panels and one legend as the text of an SVG file.

    Raises:
        ValueError: there is no panel, or a panel has no series or no finite point.
    """
    if not panels:
        raise ValueError('no panel to draw; give at least one')
    styles = _styles(panels)
    columns = min(COLUMNS, len(panels))
    per_row = max(1, columns * WIDTH // LEGEND_COLUMN)
    legend_rows = -(-len(styles) // per_row)
    head = EDGE + legend_rows * LEGEND_ROW + 6
    width = 2 * EDGE + columns * WIDTH
    height = head + -(-len(panels) // columns) * HEIGHT + EDGE
    label = escape('; '.join(panel.title for panel in panels), quote=True)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{label}" '
        'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" '
        f'font-size="12" fill="{INK}">',
        f'<rect width="{width}" height="{height}" rx="6" fill="{GROUND}"/>',
    ]
    for k, (name, style) in enumerate(styles.items()):
        x, y = EDGE + 10 + k % per_row * LEGEND_COLUMN, EDGE + 10 + k // per_row * LEGEND_ROW
        parts.append(_legend(name, style, x, y))
    for k, panel in enumerate(panels):
        corner = EDGE + k % columns * WIDTH, head + k // columns * HEIGHT
        parts += _panel(panel, styles, *corner)
    return '\n'.join([*parts, '</svg>', ''])


def _styles(panels: list[Panel]) -> dict[str, Style]:
    """Return the style of each name: first the emphasised ones, then the others as they come."""
    every = [series for panel in panels for series in panel.series]
    strong = dict.fromkeys(series.name for series in every if series.emphasised)
    others = dict.fromkeys(series.name for series in every if series.name not in strong)
    styles = {name: Style(EMPHASIS, DASHES[k % 4], 3.0) for k, name in enumerate(strong)}
    for k, name in enumerate(others):
        # The dashes shift by one each time the colours start anew.
        dash = DASHES[(k + k // len(COLOURS)) % len(DASHES)]
        styles[name] = Style(COLOURS[k % len(COLOURS)], dash, 1.7)
    return styles


def _panel(panel: Panel, styles: dict[str, Style], left: float, top: float) -> list[str]:
    frame = _frame(panel, left, top)
    parts = [
        f'<text x="{left + LEFT}" y="{top + 20}" font-size="13" font-weight="600">'
        f'{escape(panel.title)}</text>',
        *_axes(panel, frame),
    ]
    behind_first = sorted(panel.series, key=lambda series: series.emphasised)
    parts += [_band(series, styles[series.name], frame) for series in behind_first]
    parts += [_line(series, styles[series.name], frame) for series in behind_first]
    return [part for part in parts if part]


def _frame(panel: Panel, left: float, top: float) -> Frame:
    """Return the frame that holds every point and band of a panel, and zero gain."""
    x = _finite([series.x for series in panel.series])
    values = [series.y for series in panel.series]
    for series in panel.series:
        if series.emphasised and series.low is not None and series.high is not None:
            values += [series.low, series.high]
    y = _finite(values)
    if not x.size or not y.size:
        raise ValueError(f'panel {panel.title!r} has no finite point to draw')
    x_range = _widened(min(0.0, float(x.min())), float(x.max()))
    y_range = _widened(min(0.0, float(y.min())), max(0.0, float(y.max())))
    room = 0.05 * (y_range[1] - y_range[0])
    # The zero line is the edge unless something lies below it.
    y_range = (y_range[0] - room if y_range[0] < 0.0 else 0.0, y_range[1] + room)
    return Frame(x_range, y_range, left + LEFT, top + TOP)


def _finite(arrays: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    every = np.concatenate([*arrays, np.empty(0)])
    return np.asarray(every[np.isfinite(every)])


def _widened(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high > low else (low, low + 1.0)


def _axes(panel: Panel, frame: Frame) -> list[str]:
    left, right = (f'{frame.x(value):.1f}' for value in frame.x_range)
    bottom, top = (frame.y(value) for value in frame.y_range)
    parts = []
    for value in ticks(*frame.y_range):
        y = frame.y(value)
        colour = FAINT if value == 0.0 else GRID
        parts.append(f'<path d="M{left} {y:.1f}H{right}" stroke="{colour}"/>')
        parts.append(_text(frame.left_px - 7, y + 4, _number(value), 'end'))
    for value in ticks(*frame.x_range):
        x = frame.x(value)
        parts.append(f'<path d="M{x:.1f} {bottom:.1f}v4" stroke="{FAINT}"/>')
        parts.append(_text(x, bottom + 17, _number(value), 'middle'))
    parts.append(f'<path d="M{left} {bottom:.1f}H{right}" stroke="{FAINT}"/>')
    middle_x = frame.left_px + (WIDTH - LEFT - RIGHT) / 2.0
    parts.append(_text(middle_x, bottom + 34, panel.x_label, 'middle'))
    middle_y, x = (bottom + top) / 2.0, frame.left_px - 37
    turn = f' transform="rotate(-90 {x:.1f} {middle_y:.1f})"'
    parts.append(_text(x, middle_y, panel.y_label, 'middle', turn))
    return parts


def ticks(low: float, high: float) -> list[float]:
    """Return up to about `TICKS` round values from `low` to `high`, evenly spaced."""
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= rough * (1.0 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def _number(value: float) -> str:
    return f'{value:.6g}'.replace('-', '\N{MINUS SIGN}')


def _text(x: float, y: float, text: str, anchor: str, turn: str = '') -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{FAINT}" font-size="11"'
        f'{turn}>{escape(text)}</text>'
    )


def _legend(name: str, style: Style, x: float, y: float) -> str:
    return (
        f'<path d="M{x} {y}h28" {_stroke(style)}/>'
        f'<circle cx="{x + 14}" cy="{y}" r="{_radius(style)}" fill="{style.colour}"/>'
        f'<text x="{x + 36}" y="{y + 4}"{_weight(style)}>{escape(name)}</text>'
    )


def _weight(style: Style) -> str:
    return ' font-weight="600"' if style.colour == EMPHASIS else ''


def _stroke(style: Style) -> str:
    dash = f' stroke-dasharray="{style.dash}"' if style.dash else ''
    return f'fill="none" stroke="{style.colour}" stroke-width="{style.width_px}"{dash}'


def _radius(style: Style) -> float:
    return 3.6 if style.colour == EMPHASIS else 2.6


def _band(series: Series, style: Style, frame: Frame) -> str:
    """Return the interval as a filled band, '' where none is to be shown."""
    if not series.emphasised or series.low is None or series.high is None:
        return ''
    known = np.isfinite(series.x) & np.isfinite(series.low) & np.isfinite(series.high)
    there = [_point(frame, x, y) for x, y in zip(series.x[known], series.high[known], strict=True)]
    back = [_point(frame, x, y) for x, y in zip(series.x[known], series.low[known], strict=True)]
    if not there:
        return ''
    if len(there) == 1:  # a band without width would not show
        return f'<path d="M{there[0]}L{back[0]}" stroke="{style.colour}" stroke-opacity="0.5"/>'
    path = 'L'.join(there + back[::-1])
    return f'<path d="M{path}Z" fill="{style.colour}" fill-opacity="0.18"/>'


def _line(series: Series, style: Style, frame: Frame) -> str:
    """Return the line with a mark at each point, and its name for those who point at it."""
    runs, run = [], []
    for x, y in zip(series.x.tolist(), series.y.tolist(), strict=True):
        if math.isfinite(x) and math.isfinite(y):
            run.append(_point(frame, x, y))
        elif run:
            runs.append(run)
            run = []
    runs = [*runs, run] if run else runs
    marks = [
        '<circle cx="{}" cy="{}" r="{}" fill="{}"/>'.format(
            *point.split(), _radius(style), style.colour
        )
        for run in runs
        for point in run
    ]
    lines = [f'<path d="M{"L".join(run)}" {_stroke(style)}/>' for run in runs if len(run) > 1]
    return f'<g><title>{escape(series.name)}</title>{"".join(lines + marks)}</g>'


def _point(frame: Frame, x: float, y: float) -> str:
    return f'{frame.x(x):.1f} {frame.y(y):.1f}'
