"""Proposed input: how a frame is to become the input of a model that nobody has described."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from selector.errors import ConfigError
from selector.errors import ModelError
from selector.newcomer.graph import Graph
from selector.newcomer.graph import image_input
from selector.newcomer.graph import ImageInput
from selector.newcomer.head import Claim
from selector.newcomer.head import FILE
from selector.newcomer.head import GUESS
from selector.newcomer.head import Head
from selector.newcomer.head import Question
from selector.newcomer.head import shape_text

GIVEN = 'given'
_HALF = [0.5, 0.5, 0.5]
NORMALISATIONS: Mapping[str, tuple[float, list[float], list[float]]] = {
    '01': (1.0 / 255.0, [], []),
    'imagenet': (1.0 / 255.0, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    'symmetric': (1.0 / 255.0, _HALF, _HALF),
    'none': (1.0, [], []),
}
"""Scale, mean and std by the name of the range: 0..1, ImageNet's, -1..1, and 0..255."""

_RANGE_QUESTION = Question(
    'which range of numbers does it take? 0..1 is taken',
    '--normalise symmetric (-1..1), none (0..255) or imagenet (its mean and deviation off)',
)

Tree = dict[str, Any]


class Asked(NamedTuple):
    """What the user says.

    Attributes:
        task: classification, detection or regression; '' unknown.
        labels: class names, () unknown.
        size_px: (height, width) of the input [px], None unknown.
        normalise: a name of NORMALISATIONS, '' unknown.
        lines: values for other keys of the card, by dotted path.
    """

    task: str = ''
    labels: tuple[str, ...] = ()
    size_px: tuple[int, int] | None = None
    normalise: str = ''
    lines: Mapping[str, object] = {}


def the_image(graph: Graph) -> ImageInput:
    """Return the only input, which takes the image.

    Raises:
        ModelError: there are more, or it cannot be an image.
    """
    image = image_input(graph.inputs)
    inputs = ', '.join(f'{i.name!r} {i.dtype} {shape_text(i.shape)}' for i in graph.inputs)
    if image is None:
        raise ModelError(
            f'none of its inputs ({inputs or "none"}) can be one image: (1, 3, H, W) or '
            '(1, H, W, 3) of float32, float16 or uint8, or with 1 for 3; export it with a batch '
            'of 1 or an open one'
        )
    if len(graph.inputs) > 1:
        raise ModelError(
            f'it has the inputs {inputs}; only one, the image, can be given: export it without '
            'the others'
        )
    return image


def proposed_input(
    image: ImageInput, graph: Graph, head: Head, asked: Asked
) -> tuple[Tree, tuple[Question, ...]]:
    """Return how a frame becomes the input."""
    resize = _resize(image, head, asked)
    size, questions = _size(image, graph, asked, resize.value == 'keep_multiple')
    tree: Tree = {'name': Claim(image.tensor.name, FILE)}
    if head.kind == 'classifier' and graph.trial is not None and len({*graph.trial.size_px}) == 1:
        tree['crop'] = Claim('centre_square', f'{GUESS}: `none` squeezes the whole frame into it')
    tree |= {
        'resize': resize,
        'size_px': size,
        'layout': Claim(image.layout, f'{FILE}: {shape_text(image.tensor.shape)}'),
        'colour': Claim('grey', f'{FILE}: one channel')
        if image.channels == 1
        else Claim('rgb', f'{GUESS}: bgr where it was trained with OpenCV'),
        'dtype': Claim(image.tensor.dtype, FILE),
    }
    if image.tensor.dtype == 'uint8':
        if asked.normalise not in ('', 'none'):
            raise ConfigError(
                f'--normalise {asked.normalise}: the model takes uint8, which goes in as it is; '
                'leave it out'
            )
        return tree | {'scale': Claim(1.0, f'{FILE}: it takes uint8')}, questions
    numbers, more = _numbers(image, head, asked.normalise)
    return tree | numbers, (*questions, *more)


def _resize(image: ImageInput, head: Head, asked: Asked) -> Claim:
    square = asked.size_px is None or asked.size_px[0] == asked.size_px[1]
    if head.kind == 'yolo':
        return Claim('letterbox', f'{GUESS}: as YOLO is trained')
    if head.kind == 'segmentation_map' and image.size_px == (None, None) and square:
        return Claim('keep_multiple', f'{GUESS}: both sides are open, and the answer is a map')
    return Claim('stretch', f'{GUESS}: letterbox keeps the aspect')


def _size(
    image: ImageInput, graph: Graph, asked: Asked, keeps_multiple: bool
) -> tuple[Claim, tuple[Question, ...]]:
    """Return the size of the input.

    Raises:
        ConfigError: the user says another one than the file fixes.
    """
    assert graph.trial is not None
    height, width = graph.trial.size_px
    if asked.size_px is not None and asked.size_px != (height, width):
        given = 'x'.join(map(str, asked.size_px))
        raise ConfigError(
            f'--size {given}: the file fixes {height}x{width}; leave it out, or export the model '
            'with this size'
        )
    sides: object = height if height == width else [height, width]
    if asked.size_px is not None:
        return Claim(sides, GIVEN), ()
    if None not in image.size_px:
        return Claim(sides, f'{FILE}: {shape_text(image.tensor.shape)}'), ()
    if graph.size_px is not None:
        return Claim(sides, f'{FILE}: imgsz in its metadata'), ()
    text = f'the size of the input is open; {height}x{width} works and is taken'
    if keeps_multiple:
        text = f'how many pixels may the longer side have? {height} is taken; more finds smaller'
    question = Question(text, '--size 640 (pixels), or --size HEIGHTxWIDTH')
    return Claim(sides, f'{GUESS}: the file leaves it open'), (question,)


def _numbers(image: ImageInput, head: Head, normalise: str) -> tuple[Tree, tuple[Question, ...]]:
    """Return scale, mean and std."""
    scale, mean, std = NORMALISATIONS[normalise or '01']
    origin, questions = f'{GUESS}: 0..1', [_RANGE_QUESTION]
    if normalise:
        origin, questions = f'{GIVEN}: --normalise {normalise}', []
    elif head.kind in ('yolo', 'torchvision'):
        origin, questions = f'{GUESS}: {head.kind} takes 0..1', []
    tree: Tree = {'scale': Claim(scale, origin)}
    if mean:
        tree['mean'] = Claim(mean[: image.channels], origin)
        tree['std'] = Claim(std[: image.channels], origin)
    return tree, tuple(questions)
