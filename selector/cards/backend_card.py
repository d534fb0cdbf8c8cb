"""Backend card: what a model needs to be known that is no ONNX file."""

from __future__ import annotations

from typing import Annotated
from typing import Literal

from pydantic import Field
from pydantic import model_validator
from selector.cards.card_part import Part
from selector.cards.card_part import Text
from selector.cards.card_part import Texts


class TorchCard(Part):
    """A torch or torchvision model.

    Attributes:
        architecture: name of the network, as torchvision has it; None for an exported program.
        weights: file: those in `file`; DEFAULT: those torchvision downloads.
        exported: `file` is an exported program (torch.export.save), network and weights.
        device: where it runs; where cuda is missing or fails, the processor stands in if the card
            has `provider_fallback`.
    """

    architecture: Text | None = None
    weights: Literal['file', 'DEFAULT'] = 'file'
    exported: bool = False
    device: Literal['cpu', 'cuda'] = 'cpu'

    @model_validator(mode='after')
    def _fits_together(self) -> TorchCard:
        if self.exported == (self.architecture is not None):
            raise ValueError('give architecture, or exported: true, and not both')
        if self.exported and self.weights == 'DEFAULT':
            raise ValueError('an exported program brings its weights; leave weights out')
        return self


class EnsembleCard(Part):
    """Models of this folder that answer one after another as one.

    Attributes:
        members: names of the models, in the order in which they are run.
        marginal_gain_min: expected gain in accuracy below which no further member is run.
        khat: share of a disagreement by which more members are better.
    """

    members: Annotated[Texts, Field(min_length=2, max_length=16)]
    marginal_gain_min: float = Field(default=0.0, ge=0, le=1)
    khat: float = Field(default=1.0, gt=0, le=1)

    @model_validator(mode='after')
    def _fits_together(self) -> EnsembleCard:
        if len(set(self.members)) != len(self.members):
            raise ValueError('members repeat')
        if any('/' in name or name in ('.', '..') for name in self.members):
            raise ValueError('members are names of models of this folder, no paths')
        return self


class TopicCard(Part):
    """A ROS 2 detector that runs already: a frame goes to its input only when it is invoked.

    Attributes:
        input: topic it takes images from.
        output: topic it answers on.
        answer: type of its answers.
        compressed: it takes sensor_msgs/CompressedImage, not sensor_msgs/Image.
        stamp_slop_s: how far the stamp of an answer may be from that of its frame [s].
        timeout_s: how long an answer is waited for [s].
    """

    input: Text
    output: Text
    answer: Literal[
        'selector_msgs/Prediction',
        'vision_msgs/Detection2DArray',
        'vision_msgs/Classification',
        'yolo_msgs/DetectionArray',
    ]
    compressed: bool = False
    stamp_slop_s: float = Field(default=0.0, ge=0, le=1)
    timeout_s: float = Field(default=1.0, gt=0, le=600)
