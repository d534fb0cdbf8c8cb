"""What a backend adds to a bare call of the same network on the same tensor; ratios, one run.

    python benchmarks/models.py [--check] [--quick]

A network of convolutions is made so deep that a bare `InferenceSession.run` takes about 1 ms on
one thread. `OnnxModel.predict` on an image that has the model's size already (so: pixels to
tensor, run, outputs to an answer) and the bare run on the ready tensor take turns, the first of
each turn changing, so both see the same noise. Two heads: a classifier of ten labels, and a
detector of 80 labels whose 1,344 anchors are decoded and suppressed. Target: median over median
of the classifier <= 1.1; the detector is told beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import hashlib
import json
from pathlib import Path
import sys
import tempfile
import time
from typing import Any

import numpy as np
import onnxruntime
from selector.backends.onnx_model import OnnxModel
from selector.cards.card import checked_card
from selector.errors import MissingError

TARGET = 1.1
BARE_S = 1e-3
SIDE, WIDTH, ANCHORS = 64, 32, 1344
HEADS: dict[str, dict[str, Any]] = {
    'classifier': {'task': 'classification', 'labels': [f'c{k}' for k in range(10)]},
    'detector': {
        'task': 'detection',
        'labels': [f'c{k}' for k in range(80)],
        'decoding': {'kind': 'yolo', 'apply_sigmoid': True},
    },
}


def network(head: str, depth: int) -> bytes:
    """Return an ONNX file: `depth` convolutions of width 32 on half of 64 px, and a head.

    Raises:
        MissingError: the package onnx is not installed.
    """
    try:
        import onnx
        from onnx import helper
    except ImportError as err:
        raise MissingError('the benchmark makes its networks with onnx: pip install onnx') from err
    draw = np.random.default_rng(depth)
    weights, nodes, last, width = {}, [], 'image', 3
    for k in range(depth):
        scale = np.sqrt(2.0 / (9 * width))
        weights[f'w{k}'] = scale * draw.normal(size=(WIDTH, width, 3, 3))
        stride = [2, 2] if k == 0 else [1, 1]
        nodes.append(
            helper.make_node('Conv', [last, f'w{k}'], [f'c{k}'], pads=[1] * 4, strides=stride)
        )
        nodes.append(helper.make_node('Relu', [f'c{k}'], [f'r{k}']))
        last, width = f'r{k}', WIDTH
    columns = len(HEADS[head]['labels'])
    nodes.append(helper.make_node('GlobalAveragePool', [last], ['mean']))
    nodes.append(helper.make_node('Flatten', ['mean'], ['flat']))
    shape = [1, columns]
    if head == 'classifier':
        weights['head'] = draw.normal(size=(WIDTH, columns))
        nodes.append(helper.make_node('MatMul', ['flat', 'head'], ['out']))
    else:  # the same boxes whatever the image: what is timed is their decoding
        weights['head'] = np.zeros((WIDTH, 1))
        weights['table'] = anchors(draw, columns)
        nodes.append(helper.make_node('MatMul', ['flat', 'head'], ['zero']))
        nodes.append(helper.make_node('Add', ['table', 'zero'], ['out']))
        shape = [1, 4 + columns, ANCHORS]
    number = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        head,
        [helper.make_tensor_value_info('image', number, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info('out', number, shape)],
        [onnx.numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()],
    )
    opset = [helper.make_opsetid('', 13)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


def anchors(draw: np.random.Generator, labels: int) -> Any:
    """Return (1, 4 + labels, N): centre, size and logits; 1 % of the anchors are likely boxes."""
    centre = draw.uniform(0.0, SIDE, (2, ANCHORS))
    logits = draw.normal(-8.0, 1.0, (labels, ANCHORS))
    logits[draw.integers(0, labels, ANCHORS), np.arange(ANCHORS)] += 9.0 * (
        draw.random(ANCHORS) < 0.01
    )
    return np.concatenate([centre, draw.uniform(2.0, 20.0, (2, ANCHORS)), logits])[None]


def model(folder: Path, head: str, depth: int) -> OnnxModel:
    """Write a network and return the backend's model of it, on one thread."""
    path, data = folder / f'{head}.onnx', network(head, depth)
    path.write_bytes(data)
    card = {
        'name': head,
        'file': path.name,
        'sha256': hashlib.sha256(data).hexdigest(),
        'input': {'name': 'image', 'size_px': SIDE, 'scale': 1.0 / 255.0},
        'output': 'out',
        'training_data': 'none: random weights',
        'licence': 'Apache-2.0',
        **HEADS[head],
    }
    return OnnxModel(checked_card(card, head), path, 1)


def bare(path: Path) -> Callable[[Any], Any]:
    """Return a bare run of a file on a ready tensor, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return lambda tensor: session.run(['out'], {'image': tensor})


def in_turns(calls: tuple[Callable[[], Any], Callable[[], Any]], rounds: int) -> list[float]:
    """Return the median time of each of two calls [s], made in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for k in range(rounds + 20):
        for n in (k % 2, 1 - k % 2):
            start = time.perf_counter()
            calls[n]()
            if k >= 20:  # the first are warm-up
                times[n].append(time.perf_counter() - start)
    return [float(np.median(part)) for part in times]


def depth_of(folder: Path) -> int:
    """Return the depth at which a bare run takes about 1 ms here."""
    draw = np.random.default_rng(0)
    tensor = draw.random((1, 3, SIDE, SIDE), dtype=np.float32)
    for depth in range(2, 40):
        path = folder / 'probe.onnx'
        path.write_bytes(network('classifier', depth))
        run = bare(path)
        if in_turns((lambda: run(tensor), lambda: run(tensor)), 30)[0] >= BARE_S:  # noqa: B023
            return depth
    return 40


def compare(folder: Path, head: str, depth: int, rounds: int) -> dict[str, float]:
    """Return medians of the backend and of the bare run, and their ratio."""
    made, run = model(folder, head, depth), bare(folder / f'{head}.onnx')
    image = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    tensor = np.ascontiguousarray(image.transpose(2, 0, 1)[None] * np.float32(1.0 / 255.0))
    ours_s, bare_s = in_turns((lambda: made.predict(image), lambda: run(tensor)), rounds)
    return {
        'bare_ms': bare_s * 1e3,
        'predict_ms': ours_s * 1e3,
        'overhead_us': (ours_s - bare_s) * 1e6,
        'ratio': ours_s / bare_s,
    }


def main() -> int:
    """Run, print the figures, check the target."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--quick', action='store_true')
    arguments = parser.parse_args()
    rounds = 300 if arguments.quick else 3_000
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        depth = depth_of(folder)
        found = {head: compare(folder, head, depth, rounds) for head in HEADS}
    met = found['classifier']['ratio'] <= TARGET
    rounded = {k: {n: round(v, 3) for n, v in part.items()} for k, part in found.items()}
    print(json.dumps({'onnx': {'depth': depth, **rounded}, 'target_ratio': TARGET, 'met': met}))
    return 1 if arguments.check and not met else 0


if __name__ == '__main__':
    sys.exit(main())
