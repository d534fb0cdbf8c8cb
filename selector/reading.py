"""Reading: from a frame to the input of a model, and from its outputs to an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from selector.cards.card import Card
from selector.cards.decoding_card import ClassifierCard
from selector.cards.decoding_card import RegressorCard
from selector.cards.decoding_card import YoloCard
from selector.decoders import classifier
from selector.decoders import detr
from selector.decoders import regressor
from selector.decoders import rows
from selector.decoders import segmentation_map
from selector.decoders import ssd
from selector.decoders import torchvision
from selector.decoders import yolo
from selector.decoders.candidates import Candidates
from selector.decoders.nms import ranked
from selector.decoders.nms import suppressed
from selector.decoders.outputs import Arrays
from selector.decoders.outputs import fits
from selector.decoders.outputs import floats
from selector.decoders.outputs import Shape
from selector.decoders.outputs import told
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.model_input import blank
from selector.model_input import ModelInput
from selector.model_input import Placement
from selector.prediction import Prediction
from selector.tasks import detection
from selector.tasks import regression

_LOOKED_AT = 4096
_YOLO_OVERLAP = 0.45

_DECODERS: Mapping[str, Any] = {
    'classifier': classifier,
    'regressor': regressor,
    'yolo': yolo,
    'ssd': ssd,
    'detr': detr,
    'torchvision': torchvision,
    'rows': rows,
    'segmentation_map': segmentation_map,
}


class Reading:
    """What a card says about pictures and answers; made once, and used by one thread at a time.

    Attributes:
        input: the card of the input.
        tensor: from an image (H, W, 3) uint8 RGB to the input and where the image lies in it, see
            `ModelInput.tensor`.
    """

    def __init__(self, card: Card) -> None:
        """Take the card of a model that is run here.

        Raises:
            ModelError: the card has no input, as it runs no model of its own.
        """
        if card.input is None or card.decoder is None:
            raise ModelError(f'{card.name}: a card of runtime {card.runtime} has no input')
        self.input = card.input
        self.tensor = ModelInput(card.input).tensor
        self._card, self._decoder = card, card.decoder
        self._classifier = card.decoder if isinstance(card.decoder, ClassifierCard) else None
        self._module = _DECODERS[card.decoder.kind]
        count = len(card.scales if isinstance(card.decoder, RegressorCard) else card.labels)
        self._shapes = self._module.shapes(card.decoder, count)
        self._roles = card.roles
        self._ids = np.array(card.answer_ids, np.intp)
        self._overlap = card.nms_iou
        if card.nms_iou is None and isinstance(card.decoder, YoloCard):
            self._overlap = _YOLO_OVERLAP

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs that are read."""
        return list(self._roles.values())

    def blank(self) -> NDArray[np.uint8]:
        """Return a black frame (H, W, 3) of the size the model sees."""
        return blank(self.input)

    def faults(self, shapes: Mapping[str, Shape]) -> list[str]:
        """Return what contradicts the card in the shapes that a graph declares for its outputs."""
        found = []
        for role, name in self._roles.items():
            if name in shapes and not fits(shapes[name], self._shapes[role]):
                found.append(
                    f'output {name!r} has shape {told((shapes[name],))}; for {role} of '
                    f'{self._decoder.kind} the card expects {told(self._shapes[role])}'
                )
        return found

    def prediction(
        self, outputs: Mapping[str, NDArray[Any]], placement: Placement, wall_s: float = 0.0
    ) -> Prediction:
        """Return the answer that the outputs of one run stand for.

        Args:
            outputs: each output, by its name in the card.
            placement: of the input, from `tensor`.
            wall_s: measured time [s].

        Raises:
            PredictionError: an output is missing, of another shape or type than the card says,
                or holds NaN or other nonsense.
        """
        try:
            if self._classifier is not None:
                return self._class(self._array('scores', outputs), self._classifier, wall_s)
            arrays = {role: self._array(role, outputs) for role in self._roles}
            with np.errstate(all='ignore'):  # what overflows is found by looking at the result
                return self._answer(arrays, placement, wall_s)
        except PredictionError as err:
            raise PredictionError(f'{self._card.name} {err}', **err.values) from err

    def _array(self, role: str, outputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        name = self._roles[role]
        array = outputs.get(name)
        if not isinstance(array, np.ndarray):
            raise PredictionError(f'returned no array for {name!r}, but {type(array).__name__}')
        allowed = self._shapes[role]
        if array.shape not in allowed and not fits(array.shape, allowed):
            raise PredictionError(
                f'returned {name!r} of shape {array.shape}; its card says {told(allowed)}'
            )
        return floats(array)

    def _class(
        self, array: NDArray[np.floating], decoder: ClassifierCard, wall_s: float
    ) -> Prediction:
        scores = classifier.decode(array, decoder)
        if self._card.label_map:
            scores = classifier.merged(scores, self._ids, len(self._card.answer_labels))
        return Prediction(self._card.name, scores, scores.index(max(scores)), wall_s)

    def _answer(self, arrays: Arrays, placement: Placement, wall_s: float) -> Prediction:
        card, decoder = self._card, self._decoder
        if isinstance(decoder, RegressorCard):
            return regression.prediction(card.name, regressor.decode(arrays, decoder), wall_s)
        score_min = card.doubtful_from
        found = self._module.decode(arrays, decoder, placement.input_px, score_min)
        return self._boxes(self._kept(found), placement, wall_s)

    def _kept(self, found: Candidates) -> Candidates:
        """Return the candidates with the classes of the answers, after suppression."""
        if found.class_ids.max(initial=0) >= len(self._ids):
            raise PredictionError(
                f'returned class {found.class_ids.max()} for {len(self._ids)} labels'
            )
        ids = self._ids[found.class_ids]
        width, height = (found.xyxy[:, 2:] - found.xyxy[:, :2]).T
        sound = (ids >= 0) & (width > 0.0) & (height > 0.0)
        most = 2 * self._card.max_boxes
        best = ranked(
            Candidates(found.xyxy[sound], found.scores[sound], ids[sound]),
            _LOOKED_AT if self._overlap is not None else most,
        )
        return best if self._overlap is None else suppressed(best, self._overlap, most)

    def _boxes(self, kept: Candidates, placement: Placement, wall_s: float) -> Prediction:
        """Return candidates, the highest score first, as boxes in the frame and doubtful rest."""
        most, threshold = self._card.max_boxes, self._card.threshold
        xyxy = placement.to_frame(kept.xyxy)
        seen = (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
        xyxy, scores, ids = xyxy[seen], kept.scores[seen], kept.class_ids[seen]
        given = min(int((scores >= threshold).sum()), most)
        rest = scores[given:]
        boxes = detection.Boxes(
            xyxy=tuple(map(tuple, xyxy[:given].tolist())),
            class_ids=tuple(ids[:given].tolist()),
            threshold=threshold,
            doubtful=tuple(rest[rest < threshold][:most].tolist()),
        )
        return detection.prediction(self._card.name, boxes, tuple(scores[:given].tolist()), wall_s)
