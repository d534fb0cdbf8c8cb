"""Head: a decoding that the outputs of a graph suggest, and where each part of it comes from."""

from __future__ import annotations

from typing import NamedTuple

from selector.newcomer.graph import Dim
from selector.newcomer.graph import Graph
from selector.newcomer.graph import Output

FILE = 'from the file'
GUESS = 'guessed'

# Largest number of boxes in 0..1, which reach a little out of the picture.
_NORMALISED_MOST = 2.0
_TOLERANCE = 1e-3


class Claim(NamedTuple):
    """A value for a card.

    Attributes:
        value: as it stands in the card.
        origin: FILE, GUESS or `given`, with a reason after a colon.
    """

    value: object
    origin: str


class Question(NamedTuple):
    """What only the user knows.

    Attributes:
        text: the question, with what is taken until it is answered.
        answer: the option that answers it.
    """

    text: str
    answer: str


class Head(NamedTuple):
    """A decoding.

    Attributes:
        task: classification, detection or regression.
        kind: of the decoding, as cards name it.
        roles: name of each output by its role.
        settings: the other keys of the decoding.
        columns: numbers that the outputs have for a box or picture, None where nothing says.
        origin: where the kind comes from.
        questions: about it.
    """

    task: str
    kind: str
    roles: dict[str, str]
    settings: dict[str, Claim]
    columns: int | None
    origin: str
    questions: tuple[Question, ...] = ()

    @property
    def classes(self) -> int | None:
        """Number of labels, or of numbers of a regression; it depends on the settings."""
        if self.columns is None:
            return None
        values = {key: claim.value for key, claim in self.settings.items()}
        offset = values.get('label_offset', 0)
        others = {
            'yolo': 4 + (values.get('objectness') is True),
            'detr': int(values.get('scores') == 'softmax'),
            'ssd': offset if isinstance(offset, int) else 0,
        }
        return self.columns - others.get(self.kind, 0)


def shape(output: Output) -> tuple[Dim, ...]:
    """Return the shape that came out, else the declared one."""
    return output.shape or output.tensor.shape


def shape_text(sizes: tuple[Dim, ...]) -> str:
    """Return a shape in words, `?` for open sizes.

    >>> shape_text((1, 'height', None))
    '(1, ?, ?)'
    """
    return f'({", ".join(str(s) if isinstance(s, int) else "?" for s in sizes)})'


def ranked(graph: Graph, rank: int, last: int | None = None) -> list[Output]:
    """Return the outputs of a rank whose last size is `last`, if given."""
    return [
        output
        for output in graph.outputs
        if len(shape(output)) == rank and last in (None, shape(output)[-1])
    ]


def best(outputs: list[Output], *words: str) -> Output | None:
    """Return the output whose name has one of the words, first words first; else the first."""
    for word in words:
        for output in outputs:
            if word in output.tensor.name.lower():
                return output
    return outputs[0] if outputs else None


def named(roles: dict[str, Output]) -> dict[str, str]:
    """Return the name of each output."""
    return {role: output.tensor.name for role, output in roles.items()}


def within_01(low: float, high: float) -> bool:
    """Return whether values are in 0..1, but for rounding."""
    return low >= -_TOLERANCE and high <= 1.0 + _TOLERANCE


def sums_to_one(output: Output) -> bool:
    """Return whether an output gave probabilities along its last axis."""
    total = all(abs(total - 1.0) <= _TOLERANCE for total in output.sums)
    return total and within_01(output.low, output.high)


def normalised(low: float, high: float) -> Claim:
    """Return whether boxes are in 0..1, by their least and largest number."""
    most = max(abs(low), abs(high))
    if most == 0.0:
        return Claim(True, f'{GUESS}: it gave no box')
    origin = f'{GUESS}: on a picture the numbers of its boxes reached {most:.3g}'
    return Claim(most <= _NORMALISED_MOST, origin)
