"""Torch weights: a state dict read without running code, and put into its network."""

from __future__ import annotations

from collections.abc import Mapping
import io
from pathlib import Path
import pickle
from typing import Any

from selector.errors import ModelError
from selector.networks.torch_archive import ADVICE
from selector.networks.torch_archive import one_line
from selector.networks.torch_runtime import torch_module

_WRAPPERS = ('state_dict', 'model_state_dict', 'model')
_PARALLEL = 'module.'
_TOLD = 3


def state_dict(path: Path) -> dict[str, Any]:
    """Return the tensors of a state dict by name, out of a checkpoint too; `weights_only=True`.

    Raises:
        ModelError: the file holds more than tensors, which would run code, or none, or is damaged.
    """
    found = tensors(path, str(path))
    for name in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    torch = torch_module()
    if not isinstance(found, Mapping):
        raise ModelError(f'{path} holds a {type(found).__name__}, no state dict; {ADVICE}')
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise ModelError(
                f'{path} is no state dict: it has {name!r}, a {type(value).__name__}; {ADVICE}',
                path=str(path),
            )
    return {name.removeprefix(_PARALLEL): value for name, value in found.items()}


def tensors(content: Path | io.BytesIO, where: str) -> Any:
    """Return what a pickle of torch holds, refusing anything but tensors in plain containers.

    Args:
        content: the pickle, or its file.
        where: what to call it when it is refused.

    Raises:
        ModelError: see above.
    """
    torch = torch_module()
    try:
        return torch.load(content, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as err:
        raise ModelError(
            f'{where} holds more than tensors, such as a whole module of torch.save(model): '
            f'reading it would run code, so it is refused; {ADVICE}',
            path=where,
        ) from err
    except Exception as err:  # torch has no kind of its own for a damaged file
        raise ModelError(f'{where} is damaged: {one_line(err)}', path=where) from err


def fill(module: Any, found: Mapping[str, Any], where: str) -> None:
    """Put the tensors of a state dict into a network, each into its place.

    Raises:
        ModelError: they are not those of this network.
    """
    own = module.state_dict()
    lacking = [name for name in own if name not in found]
    strange = [name for name in found if name not in own]
    shapes = [
        f'{name} is {tuple(found[name].shape)}, not {tuple(own[name].shape)}'
        for name in own
        if name in found and found[name].shape != own[name].shape
    ]
    faults = [_told('lacks', lacking), _told('has beside it', strange), _told('', shapes)]
    if any(faults):
        raise ModelError(
            f'{where} does not fit its architecture: it {"; ".join(filter(None, faults))}',
            path=where,
        )
    module.load_state_dict(found)


def _told(verb: str, names: list[str]) -> str:
    if not names:
        return ''
    more = f' and {len(names) - _TOLD} more' if len(names) > _TOLD else ''
    return f'{verb} {", ".join(names[:_TOLD])}{more}'.strip()
