"""Torch runtime: torch where a card asks for it, and a module of torch from array to arrays.

torch and torchvision are imported when the first such model is loaded, not before: they are large,
and most robots need neither.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from selector.errors import MissingError
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.networks.torch_archive import one_line

CPU = 'cpu'
_LOST_OPERATORS = 'operator torchvision::'
_NUMPY_KINDS = ('float16', 'float32', 'float64')


def torch_module() -> Any:
    """Return the package torch.

    Raises:
        MissingError: it is not installed, or does not start.
    """
    return _package('torch', 'pip install torch')


def torchvision_module() -> Any:
    """Return the package torchvision.

    Raises:
        MissingError: it is not installed, or does not fit the torch that is.
    """
    torch = torch_module()
    try:
        return _package('torchvision', 'pip install torch torchvision')
    except RuntimeError as err:  # torchvision's own operators did not load
        if not str(err).startswith(_LOST_OPERATORS):
            raise
        raise MissingError(
            f'torchvision was built for another torch than the {torch.__version__} that is '
            f'installed ({one_line(err)}): install both from one source, both for the CPU or both '
            f'for CUDA'
        ) from err


def _package(name: str, remedy: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as err:
        if err.name != name:
            raise MissingError(
                f'{name} needs {err.name}, which is not installed: {remedy}'
            ) from err
        raise MissingError(f'{name} is not installed: {remedy}') from err
    except (ImportError, OSError) as err:  # a library that is missing, or of another version
        raise MissingError(f'{name} does not start ({one_line(err)}): {remedy}') from err


def usable_device(wanted: str, falls_back: bool, notes: list[str]) -> str:
    """Return the device to use; a replacement is noted.

    Args:
        wanted: cpu or cuda.
        falls_back: whether the processor may stand in.
        notes: where to say so.

    Raises:
        ModelError: the device is not here and nothing may stand in.
    """
    torch = torch_module()
    if wanted == CPU or torch.cuda.is_available():
        return wanted
    why = f'device {wanted} is not available to torch {torch.__version__} here'
    if not falls_back:
        raise ModelError(
            f'{why}; name device: cpu in the card, or allow it with provider_fallback: true'
        )
    notes.append(f'{why}; {CPU} is used')
    return CPU


class Network:
    """A torch module on its device, from array to arrays.

    The number of threads is one for the process in torch: that of the network made last counts.
    """

    def __init__(
        self, load: Callable[[str], Any], device: str, threads: int, takes_list: bool = False
    ) -> None:
        """Load the module.

        Args:
            load: returns the module on a device, ready to answer.
            device: where it runs.
            threads: on how many of the processor's threads.
            takes_list: it takes a list of images (C, H, W), as torchvision's detectors do.
        """
        self._torch = torch_module()
        self._torch.set_num_threads(threads)
        self._load, self._takes_list = load, takes_list
        self.device = device
        self._module = load(device)

    def run(self, tensor: NDArray[Any], names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return what the module answers, by name.

        A single tensor takes the first name and a tuple the names in their order, or its places
        where the names are numbers; a mapping has names of its own. Of a batch given as a list
        the first answer counts.

        Args:
            tensor: the input, as `Reading.tensor` makes it.
            names: of the outputs that are read.

        Raises:
            PredictionError: the answer is neither a tensor, nor a tuple, nor a mapping.
        """
        torch = self._torch
        # torch warns of an array it could write to but must not, and a module may write to it.
        owned = tensor if tensor.flags.writeable and tensor.dtype != np.uint8 else tensor.copy()
        with torch.inference_mode():
            given = torch.from_numpy(owned)
            if self.device != CPU:
                given = given.to(self.device)
            if not self._takes_list:
                return self._arrays(self._module(given), names)
            images = [*given] if given.ndim == 4 else [given]
            return self._arrays(self._module(images)[0], names)

    def move(self, device: str) -> None:
        """Load the module again, on another device."""
        self._module = self._load(device)
        self.device = device

    def _arrays(self, found: Any, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        if isinstance(found, Mapping):
            return {name: self._array(found[name]) for name in names if name in found}
        if isinstance(found, self._torch.Tensor):
            return {names[0]: self._array(found)}
        if not isinstance(found, list | tuple):
            raise PredictionError(
                f'returned a {type(found).__name__}; a tensor, a tuple or a mapping of tensors '
                f'is expected'
            )
        places = [int(n) if n.isdecimal() else k for k, n in enumerate(names)]
        pairs = zip(names, places, strict=True)
        return {name: self._array(found[place]) for name, place in pairs if place < len(found)}

    def _array(self, found: Any) -> NDArray[Any]:
        if not isinstance(found, self._torch.Tensor):
            raise PredictionError(f'returned a {type(found).__name__} where a tensor is expected')
        if found.is_floating_point() and str(found.dtype).partition('.')[2] not in _NUMPY_KINDS:
            found = found.float()
        array: NDArray[Any] = found.cpu().numpy()
        return array
