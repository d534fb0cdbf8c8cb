"""File kind: what is no ONNX file is called by its name, with the way to one."""

from __future__ import annotations

import io
from pathlib import Path
import pickle
import zipfile

import numpy as np
import pair
from PIL import Image
import pytest
from selector.newcomer.file_kind import file_kind


def archive(*names: str) -> bytes:
    """Return a zip archive with empty files of these names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as made:
        for name in names:
            made.writestr(name, '')
    return buffer.getvalue()


def picture(kind: str) -> bytes:
    """Return a small picture."""
    buffer = io.BytesIO()
    Image.new('RGB', (4, 4)).save(buffer, kind)
    return buffer.getvalue()


def array() -> bytes:
    """Return a NumPy file."""
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


KINDS = [
    (b'', 'empty', 'download it again'),
    (b'\0' * 600, 'all zeros', 'download it again'),
    (b'version https://git-lfs.github.com/spec/v1\noid sha256:0', 'git-lfs', 'git lfs pull'),
    (picture('PNG'), 'PNG', '--image'),
    (picture('JPEG'), 'JPEG', '--image'),
    (pickle.dumps({'a': [1.0]}, protocol=2), 'pickle', 'weights_only=True'),
    (pickle.dumps({'a': [1.0]}), 'pickle', 'torch.onnx.export'),
    (archive('net/data.pkl', 'net/data/0'), 'torch pickle', 'weights_only=True'),
    (archive('net/constants.pkl', 'net/data.pkl'), 'TorchScript', 'torch.onnx.export'),
    (archive('net/models/model.json'), 'exported program', 'torch.export.load'),
    (archive('best.onnx'), 'zip archive', 'unpack it'),
    (archive('notes.doc'), 'zip archive', 'export one'),
    (archive('x')[:20], 'damaged zip', 'download it again'),
    (b'\x10\0\0\0\0\0\0\0{"w":{"dtype":"F32"}}', 'safetensors', 'load_file'),
    (b'\x1c\0\0\0TFL3', 'TensorFlow Lite', 'tf2onnx'),
    (b'\x89HDF\r\n\x1a\n', 'HDF5', 'tf2onnx'),
    (b'\x08\0\0\0ORTM', 'ORT format', 'made from'),
    (array(), 'NumPy', 'export one'),
    (b'\x1f\x8b\x08', 'gzip', 'unpack it'),
    (b'<!DOCTYPE html><html>', 'web page', 'download it again'),
    (b'<?xml version="1.0"?><net>', 'XML', 'export one'),
    (b'name: yolo\nlayers: 3\n', 'text', 'export one'),
]


@pytest.mark.parametrize(('data', 'kind', 'way'), KINDS, ids=[kind for _, kind, _ in KINDS])
def test_a_file_is_called_by_its_name(data: bytes, kind: str, way: str) -> None:
    """Each of the usual mistakes is named, and the way out with it."""
    found = file_kind(data[:512], io.BytesIO(data))
    assert found is not None
    assert kind in found[0]
    assert way in found[1]


def test_an_onnx_file_is_let_through() -> None:
    """So are bytes of no known kind: those are judged by what reads them."""
    assert file_kind((pair.MODELS / pair.NAMES['fast'] / 'model.onnx').read_bytes()[:512]) is None
    assert file_kind(np.random.default_rng(0).bytes(512)) is None


def test_what_torch_saves_is_known(tmp_path: Path) -> None:
    """A state dict of today's torch, where torch is here."""
    torch = pytest.importorskip('torch', reason='torch is not here')
    path = tmp_path / 'net.pt'
    torch.save({'w': torch.zeros(3)}, path)
    with path.open('rb') as file:
        found = file_kind(path.read_bytes()[:512], file)
    assert found is not None
    assert 'torch pickle' in found[0]
