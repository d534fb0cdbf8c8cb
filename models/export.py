"""Export a torch model to ONNX, checked against torch, with a card that selector can use at once.

    python models/export.py torchvision:resnet18 --out models/resnet18
    python models/export.py torchvision:resnet18 --weights FILE.pth --labels labels.txt --out DIR
    python models/export.py FILE.pt2 --labels ball,robot --size 64 --out DIR
    python models/export.py my.module:Net --weights FILE.pt --task regression --out DIR

The last one imports your module and calls Net() without arguments. Any number of images can be
given to the exported file at a time, unless the program in a .pt2 file has a fixed number. The
file is written only if onnxruntime answers as torch does: on random input and on a real image.
Needs torch, onnx and onnxscript, and torchvision for its architectures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import hashlib
import importlib
from pathlib import Path
import platform
import shutil
import statistics
import sys
import tempfile
from typing import Any
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from selector.backends.onnx_model import OnnxModel
from selector.bag import Bag
from selector.bag import frames
from selector.cards.card import checked_card
from selector.cards.card import read_card
from selector.cards.input_card import InputCard
from selector.errors import ConfigError
from selector.errors import did_you_mean
from selector.errors import InputError
from selector.errors import MissingError
from selector.errors import ModelError
from selector.errors import SelectorError
from selector.model_input import tensor
from selector.networks.torch_archive import one_line
from selector.networks.torch_network import exported_program
from selector.networks.torch_runtime import torch_module
from selector.networks.torch_runtime import torchvision_module
from selector.networks.torch_weights import fill
from selector.networks.torch_weights import state_dict
import yaml

PATROL = Path(__file__).resolve().parents[1] / 'bags' / 'patrol'
MOST_IMAGES = 4096
TIMED_RUNS = 50
SIDE_PX = 224
OUTPUTS = {'classification': 'logits', 'regression': 'values'}


class Origin(NamedTuple):
    """A network and what is known of it.

    Attributes:
        network: module or exported program.
        labels: class names, () where none are known.
        input: keys of the card's input that the weights ask for.
        facts: other keys of the card.
    """

    network: Any
    labels: tuple[str, ...]
    input: dict[str, Any]
    facts: dict[str, Any]


def origin(asked: argparse.Namespace) -> Origin:
    """Return the network that is named on the command line.

    Raises:
        SelectorError: there is none of that name, or its weights do not fit or are code.
    """
    labels = _labels(asked.labels)
    if asked.source.startswith('torchvision:'):
        return _torchvision(asked.source.partition(':')[2], asked.weights, labels)
    facts = {'training_data': 'unknown', 'licence': 'unknown'}
    if ':' in asked.source:
        module, _, name = asked.source.partition(':')
        try:
            network = getattr(importlib.import_module(module), name)()
        except Exception as err:  # a module of a user may raise anything
            raise ConfigError(f'{asked.source} cannot be made: {one_line(err)}') from err
        _fill(network, asked.weights)
        return Origin(network.eval(), labels, {}, facts)
    path = Path(asked.source)
    if asked.weights:
        raise ConfigError(f'{path} brings its weights; leave --weights out')
    return Origin(exported_program(path), labels, {}, facts)


def _torchvision(name: str, weights: str, labels: tuple[str, ...]) -> Origin:
    models = torchvision_module().models
    if name not in models.list_models():
        raise ConfigError(
            f'torchvision has no architecture {name!r}{did_you_mean(name, models.list_models())}'
        )
    if name not in models.list_models(module=models):
        raise ConfigError(
            f'{name} is no classifier; the others of torchvision are not exported here, as its '
            f'detectors choose boxes in a way torch cannot export: give it a card of runtime '
            f'torchvision instead'
        )
    entry = models.get_model_weights(name).DEFAULT
    facts = {'training_data': 'unknown', 'licence': 'unknown'}
    if weights in ('', 'DEFAULT'):
        if labels and len(labels) != len(entry.meta['categories']):
            raise ConfigError(f'{entry} has {len(entry.meta["categories"])} labels')
        try:
            network = models.get_model(name, weights=entry)
        except (OSError, RuntimeError) as err:  # no network; or another file than was expected
            raise ModelError(
                f'the weights {entry} could not be downloaded ({one_line(err)}); give a local '
                f'copy with --weights FILE'
            ) from err
        facts = _stated(entry)
    else:
        count = len(labels or entry.meta['categories'])
        network = models.get_model(name, weights=None, num_classes=count)
        _fill(network, weights)
    preset = entry.transforms()
    wanted = {
        'size_px': preset.crop_size[0],
        'crop': 'centre_square',
        'mean': list(preset.mean),
        'std': list(preset.std),
    }
    return Origin(network.eval(), labels or tuple(entry.meta['categories']), wanted, facts)


def _stated(entry: Any) -> dict[str, Any]:
    """Return what torchvision says of its weights."""
    [(data, metrics)] = entry.meta['_metrics'].items()
    return {
        'training_data': f'{data} ({entry})',
        'licence': 'torchvision states none for its weights; the data have terms of their own',
        'accuracy': {
            'value': round(metrics['acc@1'] / 100.0, 5),
            'kind': 'default',
            'source': f'stated by torchvision for {data}, not measured here',
        },
    }


def _fill(network: Any, weights: str) -> None:
    if not weights:
        raise ConfigError('--weights is missing: a file with a state dict, or random')
    if weights != 'random':
        fill(network, state_dict(Path(weights)), weights)


def _labels(given: str) -> tuple[str, ...]:
    """Return labels from a list with commas, or from a file with one a line."""
    path = Path(given)
    if given and path.is_file():
        return tuple(filter(None, map(str.strip, path.read_text(encoding='utf-8').splitlines())))
    return tuple(filter(None, map(str.strip, given.split(','))))


def input_card(asked: argparse.Namespace, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the card's input: what is asked for, else what the weights ask for."""
    tree = {'name': 'image', 'size_px': SIDE_PX, 'scale': asked.scale, **wanted}
    given = {'size_px': asked.size, 'mean': asked.mean, 'std': asked.std}
    return tree | {key: value for key, value in given.items() if value}


def export(network: Any, shape: Sequence[int], path: Path, output: str | None) -> None:
    """Write a network as ONNX with weights inside and any number of images at a time.

    Raises:
        MissingError: onnx or onnxscript is not installed.
        ModelError: torch cannot export it.
    """
    torch = torch_module()
    more: dict[str, Any] = {}
    if not isinstance(network, torch.export.ExportedProgram):
        batch = torch.export.Dim('batch', min=1, max=MOST_IMAGES)
        more = {'args': (torch.rand(2, *shape[1:]),), 'dynamic_shapes': ({0: batch},)}
    if output is not None:
        more['output_names'] = [output]
    try:
        torch.onnx.export(
            network,
            f=path,
            input_names=['image'],
            dynamo=True,
            external_data=False,
            verbose=False,
            **more,
        )
    except ImportError as err:
        raise MissingError(f'{one_line(err)}: pip install onnx onnxscript') from err
    except Exception as err:  # the exporter raises whatever it meets, over many lines
        told = [line for line in str(err.__cause__ or err).splitlines() if line.strip()]
        raise ModelError(f'torch {torch.__version__} cannot export it: {told[0]}') from err
    _strip(path)


def _strip(path: Path) -> None:
    """Drop the exporter's notes: they hold source paths of this machine."""
    import onnx

    model = onnx.load(path)
    graph = model.graph
    for noted in (*graph.node, *graph.value_info, *graph.input, *graph.output, graph, model):
        del noted.metadata_props[:]
        noted.doc_string = ''
    path.write_bytes(model.SerializeToString(deterministic=True))


def differences(
    network: Any, path: Path, inputs: dict[str, NDArray[np.float32]]
) -> dict[str, float]:
    """Return how far onnxruntime is from torch on each input.

    It is the largest difference over the largest number that torch returns.
    """
    import onnxruntime

    torch = torch_module()
    module = network.module() if hasattr(network, 'graph_signature') else network
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    free = isinstance(session.get_inputs()[0].shape[0], str)
    found = {}
    for name, given in inputs.items():
        if len(given) > 1 and not free:
            continue
        with torch.inference_mode():
            leaves = torch.utils._pytree.tree_leaves(module(torch.from_numpy(given)))
        ours = session.run(None, {session.get_inputs()[0].name: given})
        found[name] = max(map(_difference, [leaf.numpy() for leaf in leaves], ours))
    return found


def _difference(theirs: NDArray[Any], ours: NDArray[Any]) -> float:
    if theirs.shape != ours.shape:
        return float('inf')
    exact = theirs.astype(np.float64)
    gap = float(np.abs(exact - ours).max(initial=0.0))
    return gap / max(float(np.abs(exact).max(initial=0.0)), 1e-30)


def picture(path: Path | None) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) uint8 RGB from a file, or the first frame of bags/patrol.

    Raises:
        InputError: it cannot be read.
    """
    if path is None:
        image = next(frames(Bag(PATROL))).frame.image
        if image is None:
            raise InputError(f'the first frame of {PATROL} cannot be decoded')
        return image
    try:
        return np.asarray(Image.open(path).convert('RGB'))
    except (OSError, ValueError) as err:
        raise InputError(f'{path} cannot be read as an image: {one_line(err)}') from err


def card_tree(
    asked: argparse.Namespace, made: Origin, image: dict[str, Any], path: Path
) -> dict[str, Any]:
    """Return the card of an exported model, without what has to be measured."""
    tree: dict[str, Any] = {
        'name': asked.out.name,
        'task': asked.task,
        'file': path.name,
        'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    if asked.task == 'classification':
        tree['labels'] = list(made.labels)
    else:
        tree['scales'] = asked.scales
    return tree | {'input': image, 'output': OUTPUTS[asked.task], **made.facts}


def measured(model: OnnxModel) -> dict[str, Any]:
    """Return median and largest time of some calls, as figures of a card."""
    model.warm_up(5)
    times = model.warm_up(TIMED_RUNS)
    where = f'{TIMED_RUNS} calls on a blank image, one thread, {platform.machine()}'
    rows = {'p50': (statistics.median(times), 'median'), 'p99': (max(times), 'largest')}
    return {
        f'latency_{name}_s': {
            'value': round(value, 7),
            'kind': 'measured',
            'source': f'{what} of {where}, by models/export.py',
        }
        for name, (value, what) in rows.items()
    }


def run(asked: argparse.Namespace) -> None:
    """Export, check and write what the command line asks for.

    Raises:
        SelectorError: see the parts; or onnxruntime and torch differ by more than is allowed.
    """
    asked.out = asked.out.resolve()
    if (asked.out / 'card.yaml').exists() and not asked.force:
        raise ConfigError(f'{asked.out} holds a model; name another folder, or add --force')
    made = origin(asked)
    if asked.task == 'classification' and len(made.labels) < 2:
        raise ConfigError('--labels is missing: a,b,c or a file with one a line')
    image = input_card(asked, made.input)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / asked.out.name
        folder.mkdir()
        path = folder / 'model.onnx'
        given, _ = tensor(picture(asked.image), InputCard.model_validate(image))
        export(made.network, given.shape, path, OUTPUTS.get(asked.task))
        check(made.network, path, given, asked.tolerance)
        told = f'selector models add {asked.out / path.name}'
        if asked.task != 'other':
            tree = card_tree(asked, made, image, path)
            checked_card(tree, 'the card')
            told = carded(asked, tree, folder)
        asked.out.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            shutil.copyfile(file, asked.out / file.name)
    print(f'wrote {asked.out}; {told}')


def check(network: Any, path: Path, given: NDArray[Any], tolerance: float) -> None:
    """Compare torch and onnxruntime and print the largest difference on each input.

    Raises:
        ModelError: one is larger than `tolerance`.
    """
    draw = np.random.default_rng(0)
    random = draw.random((3, *given.shape[1:]), np.float32)
    inputs = {'one random input': random[:1], 'three random inputs': random, 'a real image': given}
    found = differences(network, path, inputs)
    for name, difference in found.items():
        print(f'largest difference on {name}: {difference:.2e} of the largest output')
    if len(found) < len(inputs):
        print('the program takes one image at a time; the ONNX file does too')
    if not max(found.values()) <= tolerance:
        raise ModelError(
            f'onnxruntime and torch differ by {max(found.values()):.2e} of the largest output; '
            f'{tolerance:g} is allowed; nothing was written'
        )


def carded(asked: argparse.Namespace, tree: dict[str, Any], folder: Path) -> str:
    """Write the card, load the model by it, add what its calls took; return what it answers."""

    def write(tree: dict[str, Any]) -> None:
        text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=99)
        heading = f'# made by models/export.py from {asked.source}\n'
        (folder / 'card.yaml').write_text(heading + text, encoding='utf-8')

    write(tree)
    model = OnnxModel(read_card(folder), folder / tree['file'], 1)
    write(tree | measured(model))
    answer = model.predict(picture(asked.image))
    said = f'class {tree["labels"][answer.class_id]}' if answer.scores else str(answer.content)
    return f'of the image it says {said}'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or '').splitlines()[0],
        epilog='\n'.join((__doc__ or '').splitlines()[1:]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('source', help='torchvision:NAME, FILE.pt2 or module:Class')
    add('--weights', default='', help='FILE with a state dict, DEFAULT (download) or random')
    add('--task', choices=[*OUTPUTS, 'other'], default='classification')
    add('--labels', default='', help='a,b,c, or a file with one a line')
    add('--scales', type=float, nargs='+', help='of each number: the error that is wholly wrong')
    add('--size', type=int, help='side of what the model sees [px]')
    add('--scale', type=float, default=1.0 / 255.0, help='factor from 0..255 to its range')
    add('--mean', type=float, nargs='+', help='taken off after scaling, one a channel')
    add('--std', type=float, nargs='+', help='divided by after that')
    add('--image', type=Path, help='real image to check with; else a frame of bags/patrol')
    add('--tolerance', type=float, default=1e-4, help='difference allowed, of the largest output')
    add('--out', type=Path, required=True, help='folder of the model; its name is the model name')
    add('--force', action='store_true', help='overwrite a model that is there')
    asked = parser.parse_args(arguments)
    try:
        run(asked)
    except SelectorError as err:
        print(f'export: {err}', file=sys.stderr)
        return err.exit_code
    return 0


if __name__ == '__main__':
    sys.exit(main())
