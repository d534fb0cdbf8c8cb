"""Torch network: from a card to the module it describes, without running code the card brings."""

from __future__ import annotations

from collections.abc import Collection
import importlib
import inspect
import io
from pathlib import Path
from typing import Any
from typing import NamedTuple

from selector.cards.card import Card
from selector.cards.card import checked_file
from selector.cards.decoding_card import TorchvisionCard
from selector.errors import did_you_mean
from selector.errors import MissingError
from selector.errors import ModelError
from selector.networks.torch_archive import ADVICE
from selector.networks.torch_archive import kind_of
from selector.networks.torch_archive import one_line
from selector.networks.torch_archive import refuse_code
from selector.networks.torch_runtime import CPU
from selector.networks.torch_runtime import torch_module
from selector.networks.torch_runtime import torchvision_module
from selector.networks.torch_weights import fill
from selector.networks.torch_weights import state_dict
from selector.networks.torch_weights import tensors

_DETECTORS = 'torchvision.models.detection'
_TRAINING = {'aten.dropout.default': 2, 'aten.batch_norm.default': 5}


class Source(NamedTuple):
    """Where the module of a card comes from; all that can be checked has been.

    Attributes:
        card: the card.
        path: the checked file, None where torchvision downloads the weights.
        builder: what makes the module without weights, None for an exported program.
        takes_list: the module takes a list of images, as torchvision's detectors do.
    """

    card: Card
    path: Path | None
    builder: Any
    takes_list: bool

    def load(self, device: str) -> Any:
        """Return the module on a device, ready to answer.

        Raises:
            ModelError: file and architecture do not fit, the file would run code, or the weights
                cannot be downloaded.
        """
        if self.builder is None:
            assert self.path is not None  # the card has seen to it
            return _exported(self.path, device)
        module = self.builder()
        if self.path is not None:
            fill(module, state_dict(self.path), str(self.path))
        return module.eval().to(device)


def source(card: Card, folder: Path, trusted: Collection[str] = ()) -> Source:
    """Return where the module of a card comes from.

    Args:
        card: of runtime torch or torchvision.
        folder: of the card.
        trusted: the `module:Class` that the configuration lets a card name.

    Raises:
        ModelError: a file is missing, another than the card's, or code; the architecture is
            unknown, or code that is not trusted.
        MissingError: torch or torchvision is not installed.
    """
    torch_module()
    if card.torch is None:
        raise ModelError(f'{card.name}: runtime {card.runtime} needs the key torch')
    path = None if card.torch.weights == 'DEFAULT' else checked_file(card, folder)
    if path is not None:
        _check_kind(path, card.torch.exported)
    name = card.torch.architecture
    if name is None:
        return Source(card, path, None, False)
    if ':' in name and card.runtime == 'torch':
        return Source(card, path, _own_class(card, name, trusted), False)
    return _torchvision(card, path, name)


def _check_kind(path: Path, exported: bool) -> None:
    kind = kind_of(path)
    if exported and kind != 'exported':
        raise ModelError(f'{path} is no exported program; {ADVICE}')
    if not exported and kind == 'exported':
        raise ModelError(
            f'{path} is an exported program, network and weights; its card has to say torch: '
            f'{{exported: true}} and no architecture',
            path=str(path),
        )


def _own_class(card: Card, name: str, trusted: Collection[str]) -> Any:
    """Return a class that the card names and the configuration trusts."""
    if card.torch is not None and card.torch.weights == 'DEFAULT':
        raise ModelError(f'{card.name}: weights: DEFAULT are those of torchvision; name a file')
    if name not in trusted:
        raise ModelError(
            f'{card.name} names the architecture {name!r}, which is Python code: no card may run '
            f'any unless the configuration names it too; add {name!r} to models.trusted_code if '
            f'you wrote or read it'
        )
    module, _, attribute = name.partition(':')
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as err:  # a module of a user may raise anything
        raise ModelError(
            f'{card.name}: architecture {name!r} cannot be imported: {one_line(err)}'
        ) from err


def _torchvision(card: Card, path: Path | None, name: str) -> Source:
    """Return the source of one of torchvision's architectures."""
    models = torchvision_module().models
    names = models.list_models()
    if name not in names:
        told = did_you_mean(name, names)
        if ':' in name:
            told = '; code of your own, as module:Class, goes with runtime torch'
        raise ModelError(f'{card.name}: torchvision has no architecture {name!r}{told}')
    builder = models.get_model_builder(name)
    detector = builder.__module__.startswith(_DETECTORS)
    counted = len(card.labels) or len(card.scales)
    if detector and isinstance(card.decoding, TorchvisionCard):
        counted += card.decoding.label_offset
    partly = 'weights_backbone' in inspect.signature(builder).parameters

    def build() -> Any:
        if path is None:
            return _downloaded(card, models, name)
        # Without this a detector downloads weights for its first layers.
        backbone = {'weights_backbone': None} if partly else {}
        try:
            return models.get_model(name, weights=None, num_classes=counted, **backbone)
        except Exception as err:  # an architecture may refuse a number of classes
            raise ModelError(f'{card.name}: {name} cannot be made: {one_line(err)}') from err

    return Source(card, path, build, detector)


def _downloaded(card: Card, models: Any, name: str) -> Any:
    try:
        return models.get_model(name, weights='DEFAULT')
    except (OSError, RuntimeError) as err:  # no network; or another file than was expected
        raise ModelError(
            f'{card.name}: the weights that torchvision has for {name} could not be downloaded '
            f'({one_line(err)}); they come from the network: load the model once where there is '
            f'one, or give file and sha256 of a local copy in the card'
        ) from err


def exported_program(path: Path) -> Any:
    """Return the exported program in a file, after looking for code in it.

    Raises:
        ModelError: the file is damaged, would run code, or was exported in training mode.
        MissingError: this torch knows no exported programs.
    """
    torch = torch_module()
    if not hasattr(torch, 'export') or not hasattr(torch.export, 'load'):
        raise MissingError(f'exported programs need torch 2.5 or newer, not {torch.__version__}')
    _check_kind(path, exported=True)
    for content in refuse_code(path):
        tensors(io.BytesIO(content), str(path))
    try:
        program = torch.export.load(str(path))
    except Exception as err:  # torch has no kind of its own for a damaged file
        raise ModelError(
            f'{path} cannot be loaded by torch {torch.__version__}: {one_line(err)}',
            path=str(path),
        ) from err
    if _trains(program):
        raise ModelError(
            f'{path} was exported in training mode and would answer differently each time; call '
            f'model.eval() before torch.export.export',
            path=str(path),
        )
    return program


def _exported(path: Path, device: str) -> Any:
    program = exported_program(path)
    if device != CPU:
        passes = importlib.import_module('torch.export.passes')
        program = passes.move_to_device_pass(program, device)
    return program.module()


def _trains(program: Any) -> bool:
    """Return whether a program drops out at random or normalises by its own batch."""
    for node in program.graph.nodes:
        place = _TRAINING.get(str(node.target))
        if place is not None and len(node.args) > place and node.args[place] is True:
            return True
    return False
