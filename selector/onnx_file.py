"""ONNX file: what stands in the file itself, read without running or allocating anything of it.

An ONNX file is one protobuf message. onnxruntime reads the model in it, but tells neither the
operation set nor where weights lie that are kept beside the file, and of a file that was cut off
it only says that parsing failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from selector.errors import ModelError

# Wire types of protobuf.
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_WIDTH = {_FIXED64: 8, _FIXED32: 4}
_DEEPEST = 32

Span = tuple[int, int]


class OnnxFile(NamedTuple):
    """What a file states.

    Attributes:
        ir_version: version of the file format.
        opset: version of the standard operations, 0 where none is named.
        producer: program that wrote it and its version, '' unknown.
        makers: the operation that makes each tensor of the main graph, by the tensor's name.
        beside: files beside it that hold weights, as it names them.
    """

    ir_version: int
    opset: int
    producer: str
    makers: dict[str, str]
    beside: tuple[str, ...]


class Damage(ModelError):
    """The bytes stop making sense.

    Attributes:
        offset: where [bytes from the start].
        missing: how many bytes lack at the end, 0 where that is not what is wrong [bytes].
    """

    def __init__(self, offset: int, missing: int = 0) -> None:
        super().__init__(f'damaged at byte {offset}', offset=offset, missing=missing)
        self.offset = offset
        self.missing = missing


class _Field(NamedTuple):
    number: int
    kind: int
    value: int
    span: Span


def read_onnx(data: memoryview) -> OnnxFile:
    """Return what a file states.

    Args:
        data: its bytes; of a mapped file only what is needed is read.

    Raises:
        Damage: it is no ONNX file, or is damaged or cut off.
    """
    top = list(_fields(data, (0, len(data))))
    graphs = [f.span for f in top if f.number == 7 and f.kind == _LENGTH]
    if not graphs:
        raise Damage(0)
    opsets = [_opset(data, f.span) for f in top if f.number == 8 and f.kind == _LENGTH]
    producer = [_text(data, f.span) for f in top if f.number in (2, 3) and f.kind == _LENGTH]
    seen = _Seen({}, {})
    for span in graphs:
        _graph(data, span, seen, 0)
    return OnnxFile(
        ir_version=next((f.value for f in top if f.number == 1), 0),
        opset=next((version for domain, version in opsets if domain in ('', 'ai.onnx')), 0),
        producer=' '.join(part for part in producer if part),
        makers=seen.makers,
        beside=tuple(seen.beside),
    )


class _Seen(NamedTuple):
    makers: dict[str, str]
    beside: dict[str, None]


def _fields(data: memoryview, span: Span) -> Iterator[_Field]:
    """Yield the fields of one message."""
    at, end = span
    while at < end:
        key, here = _varint(data, at, end)
        number, kind = key >> 3, key & 7
        value = 0
        if kind == _VARINT:
            value, after = _varint(data, here, end)
        elif kind == _LENGTH:
            size, here = _varint(data, here, end)
            after = here + size
        elif kind in _WIDTH:
            after = here + _WIDTH[kind]
        else:
            raise Damage(at)
        if number == 0 or after > end:
            raise Damage(at, after - end if number else 0)
        yield _Field(number, kind, value, (here, after))
        at = after


def _varint(data: memoryview, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise Damage(at, 1)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise Damage(at)


def _text(data: memoryview, span: Span) -> str:
    return bytes(data[slice(*span)][:1000]).decode(errors='replace')


def _opset(data: memoryview, span: Span) -> tuple[str, int]:
    domain, version = '', 0
    for field in _fields(data, span):
        if field.number == 1 and field.kind == _LENGTH:
            domain = _text(data, field.span)
        elif field.number == 2:
            version = field.value
    return domain, version


def _graph(data: memoryview, span: Span, seen: _Seen, depth: int) -> None:
    if depth > _DEEPEST:
        raise Damage(span[0])
    for field in _fields(data, span):
        if field.kind != _LENGTH:
            continue
        if field.number == 1:
            _node(data, field.span, seen, depth)
        elif field.number == 5:
            _weights(data, field.span, seen)


def _node(data: memoryview, span: Span, seen: _Seen, depth: int) -> None:
    made, operation = [], ''
    for field in _fields(data, span):
        if field.kind != _LENGTH:
            continue
        if field.number == 2:
            made.append(_text(data, field.span))
        elif field.number == 4:
            operation = _text(data, field.span)
        elif field.number == 5:
            _attribute(data, field.span, seen, depth)
    if depth == 0:
        seen.makers.update(dict.fromkeys(made, operation))


def _attribute(data: memoryview, span: Span, seen: _Seen, depth: int) -> None:
    """Look into tensors (5, 10) and graphs (6, 11) that an operation carries."""
    for field in _fields(data, span):
        if field.kind != _LENGTH:
            continue
        if field.number in (5, 10):
            _weights(data, field.span, seen)
        elif field.number in (6, 11):
            _graph(data, field.span, seen, depth + 1)


def _weights(data: memoryview, span: Span, seen: _Seen) -> None:
    for field in _fields(data, span):
        if field.number == 13 and field.kind == _LENGTH:
            entry = {
                part.number: _text(data, part.span)
                for part in _fields(data, field.span)
                if part.kind == _LENGTH
            }
            if entry.get(1) == 'location':
                seen.beside[entry.get(2, '')] = None
