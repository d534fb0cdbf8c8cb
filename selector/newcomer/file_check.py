"""File check: what a model file is from its bytes alone, or why it cannot be used."""

from __future__ import annotations

import hashlib
import mmap
from pathlib import Path
from typing import NamedTuple

from selector.errors import ModelError
from selector.newcomer.file_kind import file_kind
from selector.onnx_file import Damage
from selector.onnx_file import OnnxFile
from selector.onnx_file import read_onnx

_HEAD_BYTES = 512
_OLDEST_OPSET = 7
_CHUNK_BYTES = 1 << 20
# Every exporter writes the version of the format, field 1, first.
_FIRST_BYTE = b'\x08'
_ONE_FILE = (
    "onnx.save_model(onnx.load('MODEL.onnx'), 'ONE.onnx') makes one file of both, and so does "
    'torch.onnx.export(..., external_data=False)'
)


class Checked(NamedTuple):
    """A file that onnxruntime may try to load.

    Attributes:
        sha256: its digest.
        size_bytes: its size [bytes].
        stated: what stands in it.
        beside: digest of each file beside it that holds weights, by name.
    """

    sha256: str
    size_bytes: int
    stated: OnnxFile
    beside: dict[str, str]


def check_file(path: Path) -> Checked:
    """Return what a file is.

    Raises:
        ModelError: it cannot be used. The text goes on after the file's name, and says what to do.
    """
    with path.open('rb') as file:
        head = file.read(_HEAD_BYTES)
        if (kind := file_kind(head, file)) is not None:
            raise ModelError(f'it is {kind[0]} and no ONNX file; {kind[1]}')
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            with memoryview(data) as view:
                sha256 = hashlib.sha256(view).hexdigest()
                stated = _read(view, head)
            size_bytes = len(data)
    if 0 < stated.opset < _OLDEST_OPSET:
        raise ModelError(
            f'its operation set {stated.opset} is too old; onnxruntime runs {_OLDEST_OPSET} and '
            'newer: export it again, or convert it with onnx.version_converter'
        )
    beside = {name: _beside(path.parent, name) for name in stated.beside}
    return Checked(sha256, size_bytes, stated, beside)


def _read(view: memoryview, head: bytes) -> OnnxFile:
    try:
        return read_onnx(view)
    except Damage as err:
        if not head.startswith(_FIRST_BYTE) or err.offset == 0:
            raise ModelError('it is no ONNX file, nor of any kind that is known here') from err
        if err.missing:
            raise ModelError(
                f'it is cut off: it ends after {len(view)} bytes and lacks {err.missing} more at '
                'least; copy or download it again'
            ) from err
        raise ModelError(
            f'it is damaged at byte {err.offset} of {len(view)}; copy or download it again'
        ) from err


def _beside(folder: Path, name: str) -> str:
    """Return the digest of a file with weights.

    Raises:
        ModelError: it is not there, or not beside the model.
    """
    path = folder / name
    if not name or not path.resolve().is_relative_to(folder.resolve()):
        raise ModelError(
            f'it keeps weights in {name!r}, outside its folder, where nothing is read; {_ONE_FILE}'
        )
    if not path.is_file():
        raise ModelError(
            f'it keeps weights in {name!r}, which is not there: put that file beside it; or '
            f'{_ONE_FILE}'
        )
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
