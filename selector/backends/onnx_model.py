"""ONNX model: a classifier run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnxruntime
from selector.card import Card
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.image import model_input
from selector.prediction import Prediction
from selector.tasks import classification


class OnnxModel:
    """A classifier in an ONNX file, run on the CPU with a fixed number of threads."""

    def __init__(self, card: Card, path: Path, threads: int) -> None:
        """Load `path`, whose digest has been checked.

        Raises:
            ModelError: onnxruntime cannot load the file, or it contradicts the card.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=['CPUExecutionProvider']
            )
        except Exception as err:  # onnxruntime raises its own kinds, one for each status
            raise ModelError(
                f'{path} cannot be loaded: {_first_line(err)}', path=str(path)
            ) from err
        self.name = card.name
        self._card = card
        _check_graph(self._session, card, path)

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """Return the prediction for one image (H, W, 3) uint8 RGB.

        Raises:
            PredictionError: the model failed, or returned NaN or another shape than the card says.
        """
        start = time.perf_counter()
        wanted = self._card.input
        tensor = model_input(image, wanted.crop, wanted.size_px, wanted.scale)
        try:
            outputs: Any = self._session.run([self._card.output], {wanted.name: tensor})
        except Exception as err:  # see above
            raise PredictionError(f'{self.name} failed: {_first_line(err)}') from err
        logits = outputs[0]
        if logits.shape != (1, len(self._card.labels)):
            raise PredictionError(
                f'{self.name} returned shape {logits.shape}; its card says '
                f'{len(self._card.labels)} labels'
            )
        answer = classification.prediction(self.name, logits[0], 0.0)
        return answer._replace(wall_s=time.perf_counter() - start)

    def warm_up(self, runs: int) -> list[float]:
        """Run `runs` times on a blank image and return each measured time [s]."""
        side = self._card.input.size_px
        blank = np.zeros((side, side, 3), np.uint8)
        return [self.predict(blank).wall_s for _ in range(runs)]


def _check_graph(session: onnxruntime.InferenceSession, card: Card, path: Path) -> None:
    inputs = [i.name for i in session.get_inputs()]
    outputs = [o.name for o in session.get_outputs()]
    if card.input.name not in inputs or card.output not in outputs:
        raise ModelError(
            f'{path}: the card names input {card.input.name!r} and output {card.output!r}; '
            f'the file has inputs {inputs} and outputs {outputs}',
            path=str(path),
        )


def _first_line(err: Exception) -> str:
    text = str(err).strip()
    return text.splitlines()[0] if text else type(err).__name__
