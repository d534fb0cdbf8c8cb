"""ONNX model: any classifier, detector or regressor that its card describes, by onnxruntime."""

from __future__ import annotations

from collections.abc import Iterator
import mmap
from pathlib import Path
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnxruntime
from selector.cards.card import Card
from selector.cards.input_card import InputCard
from selector.decoders.outputs import fits
from selector.decoders.outputs import Shape
from selector.decoders.outputs import told
from selector.errors import did_you_mean
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.onnx_file import Damage
from selector.onnx_file import read_onnx
from selector.prediction import Prediction
from selector.reading import Reading

_CPU = 'CPUExecutionProvider'
_TYPES = {'float32': 'tensor(float)', 'float16': 'tensor(float16)', 'uint8': 'tensor(uint8)'}


class OnnxModel:
    """A model in an ONNX file, run by the first of its providers that can, on some threads."""

    def __init__(self, card: Card, path: Path, threads: int) -> None:
        """Load `path`, whose digest has been checked.

        Args:
            card: what is declared about it.
            path: the file; those beside it with its weights, if any, have been checked too.
            threads: on how many threads it runs, where its card does not say.

        Raises:
            ModelError: a provider is unknown or not to be had, onnxruntime cannot load the file,
                it needs files that the card does not name, or it contradicts the card (all
                contradictions are told).
        """
        self.name = card.name
        self._reading = Reading(card)
        self._path, self._threads = path, card.threads or threads
        self._notes: list[str] = []
        self._outputs, self._input = self._reading.outputs, self._reading.input.name
        self._falls_back = card.provider_fallback
        _check_beside(path, card)
        self._session = self._loaded(self._usable(card.providers))
        _check_graph(self._session, self._reading, path)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is otherwise than the card says: the providers that were replaced, and why."""
        return tuple(self._notes)

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """Return the prediction for one image (H, W, 3) uint8 RGB.

        Raises:
            PredictionError: the image is none, the model failed, or returned NaN or another shape
                than the card says.
        """
        start = time.perf_counter()
        tensor, placement = self._reading.tensor(image)
        outputs = dict(zip(self._outputs, self._run(tensor), strict=True))
        answer = self._reading.prediction(outputs, placement)
        return answer._replace(wall_s=time.perf_counter() - start)

    def warm_up(self, runs: int) -> list[float]:
        """Run `runs` times on a blank image and return each measured time [s]."""
        blank = self._reading.blank()
        return [self.predict(blank).wall_s for _ in range(runs)]

    def _run(self, tensor: NDArray[Any]) -> list[Any]:
        inputs = {self._input: tensor}
        try:
            found: list[Any] = self._session.run(self._outputs, inputs)
            return found
        except Exception as err:  # onnxruntime raises its own kinds, one for each status
            provider = self._session.get_providers()[0]
            if not self._falls_back or provider == _CPU:
                raise PredictionError(f'{self.name} failed: {_first_line(err)}') from err
            self._notes.append(f'{provider} failed ({_first_line(err)}); {_CPU} is used from now')
        try:
            self._session = self._loaded([_CPU])
            found = self._session.run(self._outputs, inputs)
            return found
        except Exception as err:  # see above
            raise PredictionError(f'{self.name} failed: {_first_line(err)}') from err

    def _loaded(self, providers: list[str]) -> onnxruntime.InferenceSession:
        """Return a session on the first provider.

        Raises:
            ModelError: onnxruntime cannot load the file, or uses another provider.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(str(self._path), options, providers=providers)
        except Exception as err:  # see `_run`
            raise ModelError(
                f'{self._path} cannot be loaded: {_first_line(err)}', path=str(self._path)
            ) from err
        session.disable_fallback()  # it would run on something else than the card says, unsaid
        used = session.get_providers()[0]
        if used != providers[0]:
            self._replaced(f'{providers[0]} could not be started here', used)
        return session

    def _usable(self, wanted: tuple[str, ...]) -> list[str]:
        """Return the providers to use, out of those the card wants.

        Raises:
            ModelError: one is unknown; or one is not here, and the card allows no other.
        """
        known, here = onnxruntime.get_all_providers(), onnxruntime.get_available_providers()
        for name in wanted:
            if name not in known:
                raise ModelError(
                    f'{self.name}: provider {name!r} is unknown{did_you_mean(name, known)}; '
                    f'available here: {", ".join(here)}'
                )
        usable = [name for name in wanted if name in here] or [_CPU]
        for name in wanted:
            if name not in here:
                self._replaced(f'{name} is not available here', usable[0])
        return usable

    def _replaced(self, why: str, used: str) -> None:
        """Note that another provider is used.

        Raises:
            ModelError: the card does not allow it.
        """
        if not self._falls_back:
            raise ModelError(
                f'{self.name}: {why}; available: '
                f'{", ".join(onnxruntime.get_available_providers())}; name one of them in the '
                'card, or allow it another with provider_fallback: true'
            )
        self._notes.append(f'{why}; {used} is used')


def _check_beside(path: Path, card: Card) -> None:
    """Refuse a file whose weights lie in files that the card does not name."""
    try:
        with path.open('rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            with memoryview(data) as view:
                beside = read_onnx(view).beside
    except (OSError, ValueError) as err:  # no file, or an empty one, which has no memory
        why = getattr(err, 'strerror', None) or 'it is empty'
        raise ModelError(f'{path} cannot be loaded: {why}', path=str(path)) from err
    except Damage as err:
        raise ModelError(f'{path} cannot be loaded: no ONNX file, {err}', path=str(path)) from err
    unnamed = sorted(set(beside) - set(card.data_files))
    if unnamed:
        raise ModelError(
            f'{path} keeps weights in {", ".join(unnamed)}, which its card does not name; add '
            '`data_files: {name: sha256}` for each, or export with the weights inside',
            path=str(path),
        )


def _check_graph(session: onnxruntime.InferenceSession, reading: Reading, path: Path) -> None:
    """Refuse a graph that is not what the card says."""
    outputs = {node.name: _shape(node.shape) for node in session.get_outputs()}
    found = [*_input_faults(session.get_inputs(), reading.input)]
    for name in reading.outputs:
        if name not in outputs:
            close = did_you_mean(name, outputs)
            found.append(f'there is no output {name!r}; outputs {list(outputs)}{close}')
    found += reading.faults({name: shape for name, shape in outputs.items() if shape})
    if found:
        raise ModelError(
            f'{path} is not what its card says: {"; ".join(found)}', path=str(path), faults=found
        )


def _input_faults(nodes: list[Any], card: InputCard) -> Iterator[str]:
    """Yield what contradicts the card in the inputs of a graph."""
    names = [node.name for node in nodes]
    if card.name not in names:
        yield f'there is no input {card.name!r}; inputs {names}{did_you_mean(card.name, names)}'
        return
    if len(names) > 1:
        yield f'it has the inputs {names}; only one, the image, can be given'
    node = nodes[names.index(card.name)]
    if node.type != _TYPES[card.dtype]:
        yield f'input {card.name!r} is {node.type}; the card says dtype {card.dtype}'
    wanted = _input_shape(card)
    if node.shape and not fits(_shape(node.shape), (wanted,)):
        yield (
            f'input {card.name!r} has shape {told((_shape(node.shape),))}; the card says '
            f'{card.layout}, {told((wanted,))}'
        )


def _input_shape(card: InputCard) -> Shape:
    """Return the shape of the input tensor, None where it depends on the frame."""
    height, width = (None, None) if card.resize == 'keep_multiple' else card.sides_px
    sizes = {'n': 1, 'c': card.channels, 'h': height, 'w': width}
    return tuple(sizes[axis] for axis in card.layout)


def _shape(declared: Any) -> Shape:
    """Return a graph's shape, in which a size may be a name; () where it is not known."""
    return tuple(size if isinstance(size, int) else None for size in declared)


def _first_line(err: Exception) -> str:
    text = str(err).strip()
    return text.splitlines()[0] if text else type(err).__name__
