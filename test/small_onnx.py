"""Small ONNX files with cards, made in a test: one for each task, and ones with a fault."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selector.cards.card import Card
from selector.cards.card import checked_card
from selector.cards.card import read_card
import yaml

# Node: operation, inputs, outputs, attributes.
Node = tuple[str, Sequence[str], Sequence[str], Mapping[str, Any]]


def onnx_bytes(
    nodes: Sequence[Node],
    inputs: Mapping[str, Sequence[int | str | None]],
    outputs: Mapping[str, Sequence[int | str | None] | None],
    weights: Mapping[str, Any] | None = None,
    dtype: str = 'FLOAT',
) -> bytes:
    """Return a file with these nodes; inputs are of `dtype`, outputs FLOAT."""
    onnx = pytest.importorskip('onnx')
    from onnx import helper

    def info(name: str, kind: str, shape: Any) -> Any:
        return helper.make_tensor_value_info(name, getattr(onnx.TensorProto, kind), shape)

    graph = helper.make_graph(
        [helper.make_node(op, given, made, **more) for op, given, made, more in nodes],
        'small',
        [info(name, dtype, shape) for name, shape in inputs.items()],
        [info(name, 'FLOAT', shape) for name, shape in outputs.items()],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in (weights or {}).items()],
    )
    opset = [helper.make_opsetid('', 13)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


def tree(name: str, task: str, **more: Any) -> dict[str, Any]:
    """Return what the card of a small model holds."""
    return {
        'name': name,
        'task': task,
        'file': 'model.onnx',
        'sha256': '0' * 64,
        'input': {'name': 'image', 'size_px': 32, 'scale': 0.00392156862745098},
        'training_data': 'none',
        'licence': 'Apache-2.0',
        **more,
    }


def card(task: str = 'detection', **more: Any) -> Card:
    """Return a card of a model that has no file."""
    return checked_card(tree('small', task, **more), 'a card')


def written(folder: Path, data: bytes, card_tree: Mapping[str, Any]) -> Path:
    """Write a model into the models folder `folder`; return the folder of the model."""
    model = folder / str(card_tree['name'])
    model.mkdir(parents=True)
    (model / 'model.onnx').write_bytes(data)
    whole = {**card_tree, 'sha256': hashlib.sha256(data).hexdigest()}
    (model / 'card.yaml').write_text(yaml.safe_dump(whole, sort_keys=False))
    read_card(model)
    return model


def classifier(folder: Path) -> Path:
    """Write a classifier of four labels: the mean colour, weighted."""
    weights = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    nodes: list[Node] = [
        ('GlobalAveragePool', ['image'], ['mean'], {}),
        ('Flatten', ['mean'], ['flat'], {}),
        ('MatMul', ['flat', 'weights'], ['logits'], {}),
    ]
    data = onnx_bytes(
        nodes, {'image': [1, 3, 32, 32]}, {'logits': [1, 4]}, {'weights': 9.0 * weights}
    )
    labels = ['north', 'east', 'south', 'west']
    return written(folder, data, tree('compass', 'classification', labels=labels, output='logits'))


def detector(folder: Path) -> Path:
    """Write a detector of bright regions: the map is the mean over the channels."""
    nodes: list[Node] = [('ReduceMean', ['image'], ['map'], {'axes': [1], 'keepdims': 1})]
    data = onnx_bytes(nodes, {'image': [1, 3, 'h', 'w']}, {'map': [1, 1, 'h', 'w']})
    found = tree(
        'lamps',
        'detection',
        labels=['lamp'],
        output='map',
        decoding={'kind': 'segmentation_map', 'binarise': 0.5, 'min_size_px': 1.0},
        threshold=0.6,
    )
    return written(folder, data, found)


def regressor(folder: Path) -> Path:
    """Write a regressor: the mean of each colour, and a spread for each."""
    nodes: list[Node] = [
        ('GlobalAveragePool', ['image'], ['mean'], {}),
        ('Flatten', ['mean'], ['values'], {}),
        ('Mul', ['values', 'values'], ['spreads'], {}),
    ]
    shape = {'values': [1, 3], 'spreads': [1, 3]}
    data = onnx_bytes(nodes, {'image': [1, 3, 32, 32]}, shape)
    outputs = {'values': 'values', 'spreads': 'spreads'}
    return written(folder, data, tree('tint', 'regression', scales=[1.0] * 3, outputs=outputs))


def bad_classifier(folder: Path, kind: str) -> Path:
    """Write a classifier that loads, and then returns nan, inf or another shape, or fails."""
    value = {'nan': np.nan, 'inf': np.inf}.get(kind, 1.0)
    size = np.array([1, 3, 16, 16] if kind == 'raise' else [-1], np.int64)
    nodes: list[Node] = [
        ('Reshape', ['image', 'size'], ['cut'], {}),
        ('ReduceMax', ['cut'], ['top'], {'keepdims': 0}),
        ('Mul', ['top', 'zero'], ['nothing'], {}),
        ('Add', ['value', 'nothing'], ['sum'], {}),
        ('Cast', ['nothing'], ['shift'], {'to': 7}),
        ('Add', ['wide', 'shift'], ['shape'], {}),  # the shape is not known before it has run
        ('ConstantOfShape', ['shape'], ['zeros'], {}),
        ('Add', ['sum', 'zeros'], ['logits'], {}),
    ]
    weights = {
        'value': np.float32(value),
        'zero': np.zeros((), np.float32),
        'size': size,
        'wide': np.array([1, 7 if kind == 'shape' else 4], np.int64),
    }
    data = onnx_bytes(nodes, {'image': [1, 3, 'h', 'w']}, {'logits': None}, weights)
    return written(
        folder, data, tree(f'bad_{kind}', 'classification', labels=[*'abcd'], output='logits')
    )
