"""Overlay: an answer drawn on its picture, for a person to judge."""

from __future__ import annotations

import io
from typing import NamedTuple
import unicodedata

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont
from selector.prediction import Prediction
from selector.tasks.detection import Boxes
from selector.tasks.regression import Values

# From the Okabe-Ito palette, which the colour-blind can tell apart; its black would not be seen.
_COLOURS = ('#e69f00', '#56b4e9', '#009e73', '#f0e442', '#0072b2', '#d55e00', '#cc79a7')
_SHORTEST_PX, _LONGEST_PX = 480, 1600
_TOP = 5
_MOST_BOXES = 100
_LONGEST_TEXT = 120
_PAPER, _INK, _BAR = '#202020', '#ffffff', '#3b6ea5'
_DARK = 128

Rectangle = tuple[float, float, float, float]


def overlay(image: NDArray[np.uint8], answer: Prediction, labels: tuple[str, ...]) -> bytes:
    """Return the picture with the answer on it, as PNG; small pictures are enlarged.

    Boxes are drawn with label and score; a strip below tells how many there are, the five most
    likely classes, or the numbers of a regression.

    Args:
        image: (H, W, 3) uint8 RGB.
        answer: of any task; boxes in pixels of `image`.
        labels: class names by class id.
    """
    factor = _factor(image.shape[1], image.shape[0])
    sides = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    kind = Image.Resampling.NEAREST if factor > 1.0 else Image.Resampling.BILINEAR
    picture = Image.fromarray(image).resize(sides, kind)
    text_px = max(13, round(min(max(sides) / 45, 28)))
    if isinstance(answer.content, Boxes):
        _Boxes(picture, text_px).draw(answer, answer.content, labels, factor)
    return _png(_with_strip(picture, _strip(answer, labels), text_px))


class Row(NamedTuple):
    """A line of the strip; `share` in [0, 1] is the length of its bar."""

    text: str
    share: float = 0.0


def _strip(answer: Prediction, labels: tuple[str, ...]) -> list[Row]:
    content = answer.content
    if isinstance(content, Values):
        return [Row(f'{k}: {value:.6g}') for k, value in enumerate(content.values[:_TOP])]
    if isinstance(content, Boxes):
        return [Row(boxes_text(answer, content))]
    order = sorted(range(len(answer.scores)), key=lambda k: -answer.scores[k])[:_TOP]
    return [Row(f'{answer.scores[k]:.3f}  {_label(labels, k)}', answer.scores[k]) for k in order]


def boxes_text(answer: Prediction, found: Boxes) -> str:
    """Return how many boxes there are, in words."""
    count, doubtful = len(answer.scores), len(found.doubtful)
    text = f'{count} box{"" if count == 1 else "es"} of {found.threshold:g} or more'
    return f'{text}, {doubtful} doubtful below' if doubtful else text


class _Boxes:
    """Draws boxes so that their texts do not hide each other, where there is room."""

    def __init__(self, picture: Image.Image, text_px: int) -> None:
        self._size = picture.size
        self._brush = ImageDraw.Draw(picture)
        self._font = font(text_px)
        self._line_px = max(2, text_px // 6)
        self._taken: list[Rectangle] = []

    def draw(
        self, answer: Prediction, found: Boxes, labels: tuple[str, ...], factor: float
    ) -> None:
        """Draw the boxes, the surest last and so on top."""
        rows = list(zip(found.xyxy, found.class_ids, answer.scores, strict=True))[:_MOST_BOXES]
        scaled = [(tuple(factor * x for x in xyxy), k, score) for xyxy, k, score in rows]
        for box, class_id, _ in reversed(scaled):
            self._brush.rectangle(box, outline=_colour(class_id), width=self._line_px)
        for box, class_id, score in scaled:
            self._text(box, f'{_label(labels, class_id)} {score:.2f}', _colour(class_id))

    def _text(self, box: tuple[float, ...], text: str, colour: str) -> None:
        left, top, right, bottom = self._brush.textbbox((0, 0), _plain(text), font=self._font)
        width, height = right - left + 6, bottom - top + 6
        x = min(max(box[0], 0), max(0, self._size[0] - width))
        places = (box[1] - height, box[3], box[1])
        inside = [y for y in places if 0 <= y <= self._size[1] - height] or [0]
        free = [y for y in inside if not self._hides((x, y, x + width, y + height))]
        y = (free or inside)[0]
        self._taken.append((x, y, x + width, y + height))
        self._brush.rectangle((x, y, x + width, y + height), fill=colour)
        place = (x + 3 - left, y + 3 - top)
        self._brush.text(place, _plain(text), fill=_on(colour), font=self._font)

    def _hides(self, one: Rectangle) -> bool:
        return any(
            one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
            for other in self._taken
        )


def _with_strip(picture: Image.Image, rows: list[Row], text_px: int) -> Image.Image:
    """Return the picture with rows of text below it."""
    row_px = round(text_px * 1.6)
    width, height = picture.size
    whole = Image.new('RGB', (width, height + row_px * len(rows) + row_px // 2), _PAPER)
    whole.paste(picture)
    brush, used = ImageDraw.Draw(whole), font(text_px)
    for k, row in enumerate(rows):
        top = height + row_px // 4 + k * row_px
        if row.share > 0.0:
            brush.rectangle((0, top, row.share * width, top + row_px - 3), fill=_BAR)
        brush.text((8, top + row_px // 6), _plain(row.text), fill=_INK, font=used)
    return whole


def font(height_px: float) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Return the font that Pillow brings; one size only before Pillow 10.1."""
    try:
        return ImageFont.load_default(size=height_px)
    except TypeError:
        return ImageFont.load_default()


def _factor(width: int, height: int) -> float:
    if max(width, height) > _LONGEST_PX:
        return _LONGEST_PX / max(width, height)
    return max(1.0, min(_SHORTEST_PX / min(width, height), _LONGEST_PX / max(width, height)))


def _label(labels: tuple[str, ...], class_id: int) -> str:
    return labels[class_id] if 0 <= class_id < len(labels) else f'class {class_id}'


def _plain(text: str) -> str:
    """Return what Pillow's own font can draw: letters without accents, of other scripts `?`."""
    parts = unicodedata.normalize('NFKD', text[:_LONGEST_TEXT])
    return ''.join(c if c.isascii() else '?' for c in parts if not unicodedata.combining(c))


def _colour(class_id: int) -> str:
    return _COLOURS[class_id % len(_COLOURS)]


def _on(colour: str) -> str:
    """Return black or white, whichever is read more easily on a colour."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return 'black' if 0.299 * red + 0.587 * green + 0.114 * blue > _DARK else 'white'


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, 'PNG')
    return buffer.getvalue()
