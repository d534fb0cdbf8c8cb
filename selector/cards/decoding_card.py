"""Decoding card: how the outputs of a model become scores, boxes or numbers."""

from __future__ import annotations

from typing import Annotated
from typing import ClassVar
from typing import Literal

from pydantic import Field
from pydantic import field_validator
from selector.cards.card_part import Numbers
from selector.cards.card_part import Part

Corners = Literal['xyxy', 'yxyx', 'cxcywh']
Column = Literal['left', 'top', 'right', 'bottom', 'score', 'class', 'other']

_BOX: tuple[Column, ...] = ('left', 'top', 'right', 'bottom', 'score', 'class')


class ClassifierCard(Part):
    """One score a label.

    Attributes:
        values: what the output `scores` holds; of logits the softmax is taken.
    """

    ROLES: ClassVar = ('scores',)
    OPTIONAL: ClassVar = ()

    kind: Literal['classifier']
    values: Literal['logits', 'probabilities'] = 'logits'


class RegressorCard(Part):
    """One number a scale of the card.

    Attributes:
        factors, offsets: a number of the answer is factor x output + offset; () for 1 and 0.
        spread: what the output `spreads` holds.
    """

    ROLES: ClassVar = ('values',)
    OPTIONAL: ClassVar = ('spreads',)

    kind: Literal['regressor']
    factors: Numbers = ()
    offsets: Numbers = ()
    spread: Literal['deviation', 'variance', 'log_variance'] = 'deviation'


class YoloCard(Part):
    """One output with a column of box and class scores for each anchor.

    Attributes:
        layout: anchors_last: (1, 4 + C, N); anchors_first: (1, N, 4 + C).
        objectness: whether a score stands between box and class scores, which multiplies them.
        boxes: centre and size, or left, top, right, bottom.
        normalised: boxes are in 0..1 of the input, not in its pixels.
        apply_sigmoid: scores are logits.
    """

    ROLES: ClassVar = ('predictions',)
    OPTIONAL: ClassVar = ()

    kind: Literal['yolo']
    layout: Literal['anchors_last', 'anchors_first'] = 'anchors_last'
    objectness: bool = False
    boxes: Corners = 'cxcywh'
    normalised: bool = False
    apply_sigmoid: bool = False


class SsdCard(Part):
    """Boxes, scores and classes, already decoded from their anchors.

    Attributes:
        order: of the numbers of a box.
        normalised: boxes are in 0..1 of the input, not in its pixels.
        label_offset: number of the first label in the output `classes` or, where there is none,
            its column in `scores`.
    """

    ROLES: ClassVar = ('boxes', 'scores')
    OPTIONAL: ClassVar = ('classes', 'count')

    kind: Literal['ssd']
    order: Corners = 'yxyx'
    normalised: bool = True
    label_offset: int = Field(default=0, ge=0, le=10_000)


class DetrCard(Part):
    """Class scores and a box for each query.

    Attributes:
        scores: softmax with a class for no object; or a sigmoid for each class.
        no_object: with softmax, place of the class for no object among C + 1.
        boxes: centre and size, or left, top, right, bottom.
        normalised: boxes are in 0..1 of the input, not in its pixels.
    """

    ROLES: ClassVar = ('logits', 'boxes')
    OPTIONAL: ClassVar = ()

    kind: Literal['detr']
    scores: Literal['softmax', 'sigmoid'] = 'softmax'
    no_object: Literal['first', 'last'] = 'last'
    boxes: Corners = 'cxcywh'
    normalised: bool = True


class TorchvisionCard(Part):
    """The three outputs of a torchvision detector: boxes in pixels of the input, after NMS.

    Attributes:
        label_offset: number of the first label in the output `labels`; before it background.
    """

    ROLES: ClassVar = ('boxes', 'labels', 'scores')
    OPTIONAL: ClassVar = ()

    kind: Literal['torchvision']
    label_offset: int = Field(default=1, ge=0, le=10_000)


class RowsCard(Part):
    """One output with a row for each box, decoded and suppressed by the graph.

    Attributes:
        columns: what the numbers of a row are; each of left, top, right, bottom, score and class
            once, and `other` for the rest.
        normalised: boxes are in 0..1 of the input, not in its pixels.
        label_offset: number of the first label.
    """

    ROLES: ClassVar = ('rows',)
    OPTIONAL: ClassVar = ()

    kind: Literal['rows']
    columns: Annotated[tuple[Column, ...], Field(strict=False, max_length=16)] = _BOX
    normalised: bool = False
    label_offset: int = Field(default=0, ge=0, le=10_000)

    @field_validator('columns')
    @classmethod
    def _whole_box(cls, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        if any(columns.count(name) != 1 for name in _BOX):
            raise ValueError(f'each of {", ".join(_BOX)} is needed once')
        return columns


class SegmentationMapCard(Part):
    """A map of scores for each label, in which connected regions become boxes.

    The score of a box is the mean of the map within its region; `threshold` is about it.

    Attributes:
        binarise: level above which a cell of the map belongs to a region.
        apply_sigmoid: the map holds logits.
        connectivity: neighbours of a cell.
        min_size_px: shorter side of the smallest region kept [px of the map].
        unclip: a box grows on each side by area x unclip / perimeter; 0: not at all.
    """

    ROLES: ClassVar = ('map',)
    OPTIONAL: ClassVar = ()

    kind: Literal['segmentation_map']
    binarise: float = Field(default=0.3, gt=0, lt=1)
    apply_sigmoid: bool = False
    connectivity: Literal[4, 8] = 8
    min_size_px: float = Field(default=3.0, ge=0, le=4096)
    unclip: float = Field(default=0.0, ge=0, le=10)


Decoding = Annotated[
    ClassifierCard
    | RegressorCard
    | YoloCard
    | SsdCard
    | DetrCard
    | TorchvisionCard
    | RowsCard
    | SegmentationMapCard,
    Field(discriminator='kind'),
]

DETECTORS = (YoloCard, SsdCard, DetrCard, TorchvisionCard, RowsCard, SegmentationMapCard)
