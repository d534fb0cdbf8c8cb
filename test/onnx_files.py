"""Small ONNX files of every kind that users bring, made with the `onnx` package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnx
from onnx import helper
from onnx import numpy_helper
from onnx import TensorProto

Sizes = list[int | str | None]

NO_PROPS: Mapping[str, str] = MappingProxyType({})
_OPSET, _IR = 17, 8


def value(name: str, sizes: Sizes, kind: int = TensorProto.FLOAT) -> Any:
    """Return an input or output."""
    return helper.make_tensor_value_info(name, kind, sizes)


def constant(name: str, array: NDArray[Any]) -> Any:
    """Return weights."""
    return numpy_helper.from_array(array, name)


def save(
    path: Path,
    nodes: list[Any],
    ends: tuple[list[Any], list[Any]],
    weights: list[Any] | None = None,
    opset: int = _OPSET,
    ir: int = _IR,
    props: Mapping[str, str] = NO_PROPS,
) -> Path:
    """Write a model of operations, (inputs, outputs) and weights."""
    graph = helper.make_graph(nodes, 'net', *ends, weights or [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)])
    model.ir_version = ir
    model.producer_name = 'a test'
    helper.set_model_props(model, dict(props))
    path.write_bytes(model.SerializeToString())
    return path


def classifier(
    path: Path,
    classes: int = 3,
    last: str = '',
    nhwc: bool = False,
    props: Mapping[str, str] = NO_PROPS,
    opset: int = _OPSET,
    ir: int = _IR,
) -> Path:
    """Write a classifier of mean colours: the scores of the first three are red, green, blue.

    Args:
        path: the file.
        classes: number of scores.
        last: an operation at the end, such as Softmax.
        nhwc: it takes (1, H, W, 3) uint8, else (N, 3, 16, 16) float32 in 0..1.
        props: properties of the file.
        opset, ir: versions of the operations and of the format.
    """
    weights = np.zeros((3, classes), np.float32)
    weights[:3, :3] = np.eye(3, min(3, classes)) * 8.0
    ends = [value('pixels', ['n', 3, 16, 16])]
    nodes = [helper.make_node('ReduceMean', ['pixels'], ['mean'], axes=[2, 3], keepdims=0)]
    if nhwc:
        ends = [value('pixels', [1, 'height', 'width', 3], TensorProto.UINT8)]
        nodes = [
            helper.make_node('Cast', ['pixels'], ['floats'], to=TensorProto.FLOAT),
            helper.make_node('Mul', ['floats', 'scale'], ['scaled']),
            helper.make_node('ReduceMean', ['scaled'], ['mean'], axes=[1, 2], keepdims=0),
        ]
    nodes.append(helper.make_node('MatMul', ['mean', 'w'], ['y' if not last else 'logits']))
    if last:
        nodes.append(helper.make_node(last, ['logits'], ['y']))
    stored = [constant('w', weights), constant('scale', np.array(1 / 255, np.float32))]
    outputs = [value('y', [1 if nhwc else 'n', classes])]
    return save(path, nodes, (ends, outputs), stored[: 1 + nhwc], opset, ir, props)


def fixed(
    path: Path,
    outputs: dict[str, NDArray[Any]],
    image: tuple[str, Sizes] = ('image', [1, 3, 64, 64]),
    props: Mapping[str, str] = NO_PROPS,
) -> Path:
    """Write a model that says the same of every image, so that its boxes are known.

    Each output depends on the image, by zero times its mean: nothing can be left out.
    """
    name, sizes = image
    axes = list(range(len(sizes)))
    nodes = [
        helper.make_node('ReduceMean', [name], ['mean'], axes=axes, keepdims=0),
        helper.make_node('Mul', ['mean', 'nought'], ['zero']),
    ]
    weights = [constant('nought', np.array(0.0, np.float32))]
    ends = []
    for output, array in outputs.items():
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        weights.append(constant(f'{output}_is', array))
        nodes += [
            helper.make_node('Cast', ['zero'], [f'{output}_zero'], to=kind),
            helper.make_node('Add', [f'{output}_is', f'{output}_zero'], [output]),
        ]
        ends.append(value(output, list(array.shape), kind))
    return save(path, nodes, ([value(name, sizes)], ends), weights, props=props)


def yolo(
    path: Path, classes: int = 2, anchors: int = 20, props: Mapping[str, str] = NO_PROPS
) -> Path:
    """Write a YOLO (1, 4 + C, N) of a 64x64 input with two boxes, of classes 0 and 1."""
    rows = np.zeros((1, 4 + classes, anchors), np.float32)
    rows[0, :5, 0] = [20.0, 16.0, 20.0, 24.0, 0.9]
    rows[0, :4, 1] = [48.0, 40.0, 16.0, 16.0]
    rows[0, 5, 1] = 0.7
    return fixed(path, {'output0': rows}, props=props)


def endless(path: Path) -> Path:
    """Write a model that loads and then never ends: a loop of 2^62 steps."""
    body = helper.make_graph(
        [
            helper.make_node('Identity', ['go_in'], ['go']),
            helper.make_node('Mul', ['x_in', 'x_in'], ['x_out']),
        ],
        'body',
        [
            value('step', [], TensorProto.INT64),
            value('go_in', [], TensorProto.BOOL),
            value('x_in', ['n', 3, 8, 8]),
        ],
        [value('go', [], TensorProto.BOOL), value('x_out', ['n', 3, 8, 8])],
    )
    nodes = [
        helper.make_node('Loop', ['steps', 'yes', 'image'], ['end'], body=body),
        helper.make_node('ReduceMean', ['end'], ['y'], axes=[2, 3], keepdims=0),
    ]
    weights = [constant('steps', np.array(2**62)), constant('yes', np.array(True))]
    return save(path, nodes, ([value('image', ['n', 3, 8, 8])], [value('y', ['n', 3])]), weights)


def hungry(path: Path) -> Path:
    """Write a model of a few bytes that asks for 400 GB when it runs."""
    nodes = [
        helper.make_node('Shape', ['image'], ['sizes']),
        helper.make_node('Mul', ['sizes', 'many'], ['more']),
        helper.make_node('ConstantOfShape', ['more'], ['all']),
        helper.make_node('ReduceMean', ['all'], ['y'], axes=[2, 3], keepdims=0),
    ]
    weights = [constant('many', np.array([1, 1, 20_000, 20_000]))]
    ends = ([value('image', ['n', 3, 8, 8])], [value('y', ['n', 3])])
    return save(path, nodes, ends, weights)


def beside(path: Path, location: str, write: bool = True) -> Path:
    """Write a model whose weights lie in the file `location` beside it."""
    array = np.ones((3, 4), np.float32)
    stored = onnx.TensorProto(name='w', data_type=TensorProto.FLOAT, dims=array.shape)
    stored.data_location = TensorProto.EXTERNAL
    for key, text in (('location', location), ('offset', '0'), ('length', str(array.nbytes))):
        stored.external_data.add(key=key, value=text)
    if write:
        (path.parent / location).parent.mkdir(parents=True, exist_ok=True)
        (path.parent / location).write_bytes(array.tobytes())
    nodes = [
        helper.make_node('ReduceMean', ['image'], ['mean'], axes=[2, 3], keepdims=0),
        helper.make_node('MatMul', ['mean', 'w'], ['logits']),
    ]
    return save(
        path, nodes, ([value('image', ['n', 3, 8, 8])], [value('logits', ['n', 4])]), [stored]
    )


def crashing(path: Path) -> Path:
    """Write a model that ends its process when it runs, on x86: -2^31 is divided by -1."""
    nodes = [
        helper.make_node('ReduceMax', ['image'], ['most'], axes=[2, 3], keepdims=0),
        helper.make_node('Mul', ['most', 'nought'], ['zero']),
        helper.make_node('Cast', ['zero'], ['whole'], to=TensorProto.INT32),
        helper.make_node('Add', ['whole', 'minus'], ['divisor']),
        helper.make_node('Div', ['least', 'divisor'], ['none']),
        helper.make_node('Cast', ['none'], ['y'], to=TensorProto.FLOAT),
    ]
    weights = [
        constant('nought', np.array(0, np.float32)),
        constant('minus', np.array(-1, np.int32)),
        constant('least', np.array(-(2**31), np.int32)),
    ]
    ends = ([value('image', ['n', 3, 8, 8])], [value('y', ['n', 3])])
    return save(path, nodes, ends, weights)
