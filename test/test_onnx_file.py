"""ONNX file: it states what the `onnx` package reads from it; nonsense is damage."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
import onnx
from onnx import helper
from onnx import TensorProto
import onnx_files
import pair
import pytest
from selector.onnx_file import Damage
from selector.onnx_file import read_onnx

FAST = pair.MODELS / pair.NAMES['fast'] / 'model.onnx'


def test_a_real_file_states_what_the_onnx_package_reads() -> None:
    """Format, operation set, producer and the maker of each tensor."""
    found = read_onnx(memoryview(FAST.read_bytes()))
    model = onnx.load(str(FAST))
    assert found.ir_version == model.ir_version
    assert found.opset == next(o.version for o in model.opset_import if not o.domain)
    assert found.producer == f'{model.producer_name} {model.producer_version}'
    assert found.makers == {o: node.op_type for node in model.graph.node for o in node.output}
    assert found.beside == ()


def test_weights_in_another_file_are_named(tmp_path: Path) -> None:
    """Those of the main graph, and those that an operation or a graph in it carries."""
    path = onnx_files.beside(tmp_path / 'm.onnx', 'weights/w.bin')
    assert read_onnx(memoryview(path.read_bytes())).beside == ('weights/w.bin',)
    stored = onnx.load(str(path), load_external_data=False).graph.initializer[0]
    stored.external_data[0].value = 'deep.bin'
    constant = helper.make_node('Constant', [], ['w'], value=stored)
    branch = helper.make_graph([constant], 'branch', [], [onnx_files.value('w', [3, 4])])
    node = helper.make_node('If', ['go'], ['y'], then_branch=branch, else_branch=branch)
    ends = ([onnx_files.value('go', [], TensorProto.BOOL)], [onnx_files.value('y', [3, 4])])
    deep = read_onnx(memoryview(onnx_files.save(tmp_path / 'd.onnx', [node], ends).read_bytes()))
    assert deep.beside == ('deep.bin',)
    assert deep.makers == {'y': 'If'}


@pytest.mark.parametrize('kept', [20, 1000, 20_000, 37_000])
def test_a_file_that_was_cut_off_tells_what_lacks(kept: int) -> None:
    """At least as many bytes as its longest part announces."""
    data = FAST.read_bytes()[:kept]
    with pytest.raises(Damage) as caught:
        read_onnx(memoryview(data))
    assert 0 < caught.value.missing <= FAST.stat().st_size - kept


@given(st.binary(max_size=300))
def test_any_bytes_are_a_file_or_damage(data: bytes) -> None:
    """Nothing but Damage is ever raised."""
    try:
        read_onnx(memoryview(data))
    except Damage as err:
        assert 0 <= err.offset <= len(data)


@given(st.lists(st.tuples(st.integers(0, 782), st.integers(0, 255)), max_size=5))
def test_any_change_of_a_file_is_a_file_or_damage(changes: list[tuple[int, int]]) -> None:
    """As above, deep inside: the bytes of a real graph with some replaced."""
    data = bytearray(FAST.read_bytes()[-7000:])
    data[:0] = FAST.read_bytes()[:30]
    for place, byte in changes:
        data[place] = byte
    try:
        read_onnx(memoryview(bytes(data)))
    except Damage as err:
        assert 0 <= err.offset <= len(data)


def test_graphs_in_graphs_end_somewhere() -> None:
    """A file of nested graphs, made to overflow a stack, is damage."""
    graph = b''
    for _ in range(2000):
        attribute = _part(6, graph)
        graph = _part(1, _part(5, attribute))
    with pytest.raises(Damage):
        read_onnx(memoryview(b'\x08\x08' + _part(7, graph)))


def _part(number: int, content: bytes) -> bytes:
    size, digits = len(content), b''
    while size >= 0x80:
        digits += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + digits + bytes([size]) + content
