"""Examination: all that one ONNX file shows when it is loaded and run; for a child process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnxruntime
from selector.errors import ModelError
from selector.newcomer.file_check import check_file
from selector.newcomer.file_metadata import read_metadata
from selector.newcomer.file_metadata import shown
from selector.newcomer.graph import Graph
from selector.newcomer.graph import Output
from selector.newcomer.graph import Tensor
from selector.newcomer.trial import attempt
from selector.newcomer.trial import lacks_memory
from selector.onnx_file import OnnxFile

_DTYPES = {'float': 'float32', 'double': 'float64'}
_PLAIN = re.compile(r'u?int(8|16|32|64)|float(16|32|64)|bool')
_MOST_TENSORS = 64
_FAULT_CHARACTERS = 300
_PREFIX = re.compile(r'^\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from .*? failed:\s*)?')
_SOURCE = re.compile(r'\S*onnxruntime_src\S* ')


def examine(
    path: Path,
    picture: NDArray[np.uint8],
    size_px: tuple[int, int] | None,
    doing: Callable[[str], None],
) -> Graph:
    """Return all that a file shows.

    Args:
        path: the file.
        picture: (H, W, 3) uint8 RGB that it is run on.
        size_px: (height, width) where the file leaves them open, None to try usual ones [px].
        doing: told what is about to be done.

    Raises:
        ModelError: it cannot be used. The text goes on after the file's name, and says what to do.
        MemoryError: it needs too much memory.
    """
    doing('was read')
    checked = check_file(path)
    doing('was loaded')
    session = _loaded(path, checked.stated)
    inputs = tuple(map(_tensor, session.get_inputs()))[:_MOST_TENSORS]
    outputs = tuple(
        Output(tensor, checked.stated.makers.get(tensor.name, ''))
        for tensor in map(_tensor, session.get_outputs()[:_MOST_TENSORS])
    )
    metadata = read_metadata(session.get_modelmeta().custom_metadata_map)
    doing('was run')
    trial, outputs = attempt(session, inputs, outputs, picture, (metadata.size_px, size_px))
    return Graph(
        sha256=checked.sha256,
        size_bytes=checked.size_bytes,
        opset=checked.stated.opset,
        producer=shown(checked.stated.producer),
        inputs=inputs,
        outputs=outputs,
        beside=checked.beside,
        names=metadata.names,
        size_px=metadata.size_px,
        metadata=metadata.rest,
        trial=trial,
    )


def _loaded(path: Path, stated: OnnxFile) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    except Exception as err:  # onnxruntime raises its own kinds, one for each status
        text = ' '.join(str(err).split())
        if lacks_memory(err):
            raise MemoryError from err
        raise ModelError(_load_fault(text, stated)) from err


def _load_fault(text: str, stated: OnnxFile) -> str:
    """Return why onnxruntime does not load a file, in words of a user."""
    version = f'onnxruntime {onnxruntime.__version__}'
    if found := re.search(r'support for domain (\S+) is till opset (\d+)', text):
        return (
            f'its operation set {stated.opset} is too new; {version} knows {found[2]} and older: '
            f'export it with opset_version={found[2]}, or update onnxruntime'
        )
    if found := re.search(r'max supported IR version: (\d+)', text):
        return (
            f'its file format {stated.ir_version} is too new; {version} reads {found[1]} and '
            'older: export it with an older onnx, or update onnxruntime'
        )
    brief = shown(_SOURCE.sub('', _PREFIX.sub('', text)), _FAULT_CHARACTERS)
    if 'not a registered function/op' in text or 'No opset import for domain' in text:
        return f'it has an operation that {version} does not know; export it without: {brief}'
    if brief.startswith('Protobuf parsing failed'):
        return 'it is damaged; copy or download it again'
    return f'{version} does not load it: {brief}'


def _tensor(declared: Any) -> Tensor:
    kind = str(declared.type)
    inner = kind.removeprefix('tensor(').removesuffix(')')
    dtype = _DTYPES.get(inner, inner)
    shape = tuple(d if isinstance(d, int | str) else None for d in declared.shape or ())
    return Tensor(declared.name, dtype if _PLAIN.fullmatch(dtype) else kind, shape)
