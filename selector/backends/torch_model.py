"""Torch model: a state dict in its architecture, an exported program or a torchvision model."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from selector.cards.card import Card
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.networks.torch_archive import one_line
from selector.networks.torch_network import source
from selector.networks.torch_runtime import CPU
from selector.networks.torch_runtime import Network
from selector.networks.torch_runtime import usable_device
from selector.prediction import Prediction
from selector.reading import Reading


class TorchModel:
    """A model of runtime torch or torchvision, run in inference mode on one device."""

    def __init__(
        self,
        card: Card,
        folder: Path,
        threads: int,
        device: str = CPU,
        trusted: Collection[str] = (),
    ) -> None:
        """Load the model, its file checked first, and try it once on a blank image.

        Args:
            card: what is declared about it.
            folder: of the card.
            threads: on how many threads it runs, where its card does not say; torch has one
                number a process, and that of the model made last counts.
            device: cpu or cuda; where cuda is missing or fails, the processor stands in if the
                card has `provider_fallback`.
            trusted: the `module:Class` that the configuration lets a card name.

        Raises:
            ModelError: the file is missing, altered, damaged or would run code; or it
                contradicts the card (all contradictions in its outputs are told).
            MissingError: torch or torchvision is not installed.
        """
        self.name = card.name
        self._reading = Reading(card)
        self._outputs = self._reading.outputs
        self._notes: list[str] = []
        self._falls_back = card.provider_fallback
        made = source(card, folder, trusted)
        used = usable_device(device, self._falls_back, self._notes)
        self._network = Network(made.load, used, card.threads or threads, made.takes_list)
        self._check(made.path or card.name)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is otherwise than the card says: the device that was replaced, and why."""
        return tuple(self._notes)

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """Return the prediction for one image (H, W, 3) uint8 RGB.

        Raises:
            PredictionError: the image is none, the model failed, or returned NaN or another shape
                than the card says.
        """
        start = time.perf_counter()
        tensor, placement = self._reading.tensor(image)
        answer = self._reading.prediction(self._run(tensor), placement)
        return answer._replace(wall_s=time.perf_counter() - start)

    def warm_up(self, runs: int) -> list[float]:
        """Run `runs` times on a blank image and return each measured time [s]."""
        blank = self._reading.blank()
        return [self.predict(blank).wall_s for _ in range(runs)]

    def _run(self, tensor: NDArray[Any]) -> dict[str, NDArray[Any]]:
        try:
            return self._network.run(tensor, self._outputs)
        except Exception as err:  # a module may raise anything
            if not self._falls_back or self._network.device == CPU:
                raise PredictionError(f'{self.name} failed: {one_line(err)}') from err
            why = f'device {self._network.device} failed ({one_line(err)})'
        try:
            self._network.move(CPU)
            found = self._network.run(tensor, self._outputs)
        except Exception as err:  # see above
            raise PredictionError(f'{self.name} failed: {one_line(err)}') from err
        self._notes.append(f'{why}; {CPU} is used from now')
        return found

    def _check(self, where: object) -> None:
        """Refuse a model whose outputs for a blank image are not what the card says."""
        tensor, _ = self._reading.tensor(self._reading.blank())
        try:
            found = self._run(tensor)
        except PredictionError as err:
            raise ModelError(f'{where} cannot run on the input its card says: {err}') from err
        faults = [f'there is no output {name!r}' for name in self._outputs if name not in found]
        faults += self._reading.faults({name: array.shape for name, array in found.items()})
        if faults:
            raise ModelError(
                f'{where} is not what its card says: {"; ".join(faults)}', faults=faults
            )
