"""Finals leave in order, once each."""

from hypothesis import given
from hypothesis import strategies as st
import pytest
from selector.errors import SequenceError
from selector.ros.outbox import Outbox


def test_nothing_waits() -> None:
    """An answer leaves at once when no earlier frame waits."""
    outbox: Outbox[str] = Outbox()
    outbox.expect('', 0)
    assert outbox.put('', 0, 'a') == ['a']
    assert outbox.expected == 0


def test_overtaken() -> None:
    """Answers to later frames are held until the earlier frame is answered."""
    outbox: Outbox[str] = Outbox()
    for sequence in range(3):
        outbox.expect('', sequence)
    assert outbox.put('', 2, 'c') == []
    assert outbox.put('', 1, 'b') == []
    assert outbox.expected == 3
    assert outbox.put('', 0, 'a') == ['a', 'b', 'c']


def test_cameras_do_not_wait_for_each_other() -> None:
    """The order is kept per camera."""
    outbox: Outbox[str] = Outbox()
    outbox.expect('left', 0)
    outbox.expect('right', 1)
    assert outbox.put('right', 1, 'b') == ['b']


def test_twice_or_never_expected() -> None:
    """A second answer to a frame, or one to no frame, is refused."""
    outbox: Outbox[str] = Outbox()
    outbox.expect('', 0)
    outbox.expect('', 1)
    outbox.put('', 1, 'b')
    for sequence in (1, 7):
        with pytest.raises(SequenceError, match=f'frame {sequence} waits for no answer'):
            outbox.put('', sequence, 'x')


def test_answer_that_is_false() -> None:
    """An answer that counts as false in Python is an answer."""
    outbox: Outbox[object] = Outbox()
    outbox.expect('', 0)
    assert outbox.put('', 0, None) == [None]


@given(st.permutations(range(8)))
def test_any_order_comes_out_sorted(order: list[int]) -> None:
    """Whatever the order of the answers, they leave in the order of the frames, each once."""
    outbox: Outbox[int] = Outbox()
    for sequence in range(8):
        outbox.expect('', sequence)
    left = [answer for sequence in order for answer in outbox.put('', sequence, sequence)]
    assert left == list(range(8))
