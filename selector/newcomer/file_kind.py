"""File kind: what a file is that is no ONNX file, and how to get one from it."""

from __future__ import annotations

import io
from typing import BinaryIO
import zipfile

_EXPORT = "torch.onnx.export(net, (example,), 'model.onnx', dynamo=True, external_data=False)"
_PICKLE = (
    'reading a pickle runs whatever code is in it, so it is never opened here; where you trust '
    'it, build the network in Python, net.load_state_dict(torch.load(FILE, weights_only=True)), '
    f'then {_EXPORT}'
)
_FETCH = 'the file itself was not fetched: download it again'
_AGAIN = 'give the ONNX file it was made from, or export one from the framework it was trained in'

_HEADS: tuple[tuple[bytes, int, str, str], ...] = (
    (b'version https://git-lfs', 0, 'a git-lfs pointer', 'fetch the file with `git lfs pull`'),
    (b'\x89PNG', 0, 'a PNG image', 'give the model; an image goes to --image'),
    (b'\xff\xd8\xff', 0, 'a JPEG image', 'give the model; an image goes to --image'),
    (b'ORTM', 4, 'a model in ORT format', _AGAIN),
    (
        b'TFL3',
        4,
        'a TensorFlow Lite model',
        'convert it with `python -m tf2onnx.convert --tflite`',
    ),
    (b'\x89HDF', 0, 'an HDF5 file (Keras)', 'convert it with tf2onnx, or keras.Model.export'),
    (b'ftrt', 0, 'a TensorRT engine', _AGAIN),
    (b'ptrt', 0, 'a TensorRT engine', _AGAIN),
    (b'GGUF', 0, 'a GGUF file', _AGAIN),
    (b'\x93NUMPY', 0, 'a NumPy array', _AGAIN),
    (b'\x1f\x8b', 0, 'a gzip archive', 'unpack it and give the .onnx file in it'),
    (b'7z\xbc\xaf', 0, 'a 7z archive', 'unpack it and give the .onnx file in it'),
    (b'\x7fELF', 0, 'a program', _AGAIN),
)
_PICKLE_HEADS = (b'\x80\x02', b'\x80\x03', b'\x80\x04', b'\x80\x05')


def file_kind(head: bytes, whole: BinaryIO | None = None) -> tuple[str, str] | None:
    """Return what a file is and what to do, None where it may be ONNX.

    Args:
        head: its first 512 bytes.
        whole: the open file, to list what a zip archive holds.
    """
    if not head.strip(b'\0'):
        return 'empty' if not head else 'all zeros where it should begin', _FETCH
    for magic, offset, what, then in _HEADS:
        if head[offset:].startswith(magic):
            return what, then
    if head.startswith(b'PK\x03\x04'):
        return _zip(whole)
    if head.startswith(_PICKLE_HEADS):
        return 'a pickle (torch or scikit-learn)', _PICKLE
    if len(head) > 9 and head[8:10] == b'{"':
        return 'a safetensors file', (
            'it holds weights and no network: build the network in Python, load them with '
            f'safetensors.torch.load_file, then {_EXPORT}'
        )
    return _text_kind(head)


def _zip(whole: BinaryIO | None) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(whole or io.BytesIO()) as archive:
            names = archive.namelist()[:10_000]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return 'a damaged zip archive', _FETCH
    if any(name.endswith('constants.pkl') for name in names):
        return (
            'a TorchScript archive',
            f'it runs code of its own; load it in Python, then {_EXPORT}',
        )
    if any(name.endswith('data.pkl') for name in names):
        return 'a torch pickle', _PICKLE
    if any(name.endswith('.onnx') for name in names):
        return 'a zip archive', 'unpack it and give the .onnx file in it'
    if any('serialized_exported_program' in name or '/models/' in name for name in names):
        return 'a torch exported program', f'torch.export.load it in Python, then {_EXPORT}'
    return 'a zip archive', _AGAIN


def _text_kind(head: bytes) -> tuple[str, str] | None:
    text = head.lstrip().lower()
    if text.startswith((b'<!doctype', b'<html')):
        return 'a web page', _FETCH
    if text.startswith(b'<?xml'):
        return 'XML (OpenVINO?)', _AGAIN
    if head.isascii() and head.decode().isprintable():
        return 'text', _AGAIN
    printable = sum(byte in b'\t\n\r' or 32 <= byte < 127 for byte in head)
    if printable == len(head):
        return 'text', _AGAIN
    return None
