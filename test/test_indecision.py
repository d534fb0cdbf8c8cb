"""Indecision: how long two answers have differed, on stamps alone, and what is then due."""

from __future__ import annotations

import math
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
import pytest
from selector.indecision import Due
from selector.indecision import Indecision
from selector.indecision import Key

S = 1_000_000_000
CAMERA: Key = ('front', -1)


class Call(NamedTuple):
    """One call to the object under test."""

    what: str
    key: Key
    stamp_ns: int


class Oracle:
    """The definition, by brute force: the whole history is searched at every frame."""

    def __init__(self) -> None:
        self.latest_ns: int | None = None
        self.history: dict[Key, list[tuple[str, int]]] = {}  # what the clock of a key has seen
        self.seen_ns: dict[Key, int] = {}

    def forget(self, stamp_ns: int) -> None:
        """Advance the latest stamp and drop every key not seen for 60 s of it."""
        self.latest_ns = stamp_ns if self.latest_ns is None else max(self.latest_ns, stamp_ns)
        for key, seen_ns in list(self.seen_ns.items()):
            if self.latest_ns - seen_ns > 60 * S:
                del self.seen_ns[key], self.history[key]

    def call(self, call: Call) -> float | None:
        """Apply one call; return what a frame gets back."""
        what, key, stamp_ns = call
        if what == 'rewind':
            if self.latest_ns is not None:
                self.latest_ns = min(self.latest_ns, stamp_ns)
            self.seen_ns = {k: min(t, stamp_ns) for k, t in self.seen_ns.items()}
            self.history = {
                k: [(w, min(t, stamp_ns)) for w, t in past] for k, past in self.history.items()
            }
            return None
        self.forget(stamp_ns)
        assert self.latest_ns is not None
        past = self.history.get(key, [])
        if what == 'same' and not past:
            return 0.0
        self.history[key], self.seen_ns[key] = [*past, (what, stamp_ns)], self.latest_ns
        if what != 'differs':
            return None if what == 'answered' else 0.0
        past = self.history[key]
        # From the last slow answer on, else from the first frame that differed.
        begin = max((n for n, (w, _) in enumerate(past) if w == 'answered'), default=0)
        since = [t for _, t in past[begin:]]
        return (max(since) - since[0]) / S


stamps = st.integers(0, 200).map(lambda halves: halves * S // 2)
keys: st.SearchStrategy[Key] = st.tuples(st.sampled_from(['front', 'rear']), st.integers(-1, 1))
calls = st.lists(
    st.builds(Call, st.sampled_from(['differs', 'differs', 'same', 'answered']), keys, stamps)
    | st.builds(Call, st.just('rewind'), keys, stamps),
    max_size=60,
)
forward = st.lists(
    st.tuples(st.sampled_from(['differs', 'same', 'answered']), keys, st.integers(0, 20 * S))
)


def apply(indecision: Indecision, call: Call) -> float | None:
    """Apply one call; return what a frame gets back."""
    if call.what == 'rewind':
        indecision.rewind(call.stamp_ns)
        return None
    if call.what == 'answered':
        indecision.answered(call.key, call.stamp_ns)
        return None
    return indecision.update(call.key, call.stamp_ns, call.what == 'differs')


@given(calls)
def test_it_agrees_with_brute_force(sequence: list[Call]) -> None:
    """Any order of calls, with stamps that jump both ways, gives what the definition gives."""
    indecision, oracle = Indecision(), Oracle()
    for call in sequence:
        assert apply(indecision, call) == oracle.call(call)
        assert len(indecision) == len(oracle.history)


@given(forward)
def test_it_agrees_with_brute_force_on_time_that_passes(
    steps: list[tuple[str, Key, int]],
) -> None:
    """So it does on stamps that only go forward, as far as forgetting."""
    indecision, oracle, stamp_ns = Indecision(), Oracle(), 0
    for what, key, step_ns in steps:
        stamp_ns += step_ns
        call = Call(what, key, stamp_ns)
        assert apply(indecision, call) == oracle.call(call)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60 * S)), min_size=1))
def test_it_never_shrinks_without_an_answer(frames: list[tuple[bool, int]]) -> None:
    """Without an answer the time of frames that differ is >= 0 and never shrinks."""
    indecision, last_s = Indecision(), 0.0
    for differs, stamp_ns in frames:  # nothing is forgotten within 60 s
        undecided_s = indecision.update(CAMERA, stamp_ns, differs)
        if not differs:
            assert undecided_s == 0.0
            continue
        assert last_s <= undecided_s <= 60.0
        last_s = undecided_s


def test_the_last_slow_answer_is_the_start() -> None:
    """The time counts from the answer, not from the first frame that differs after it."""
    indecision = Indecision()
    indecision.answered(CAMERA, 10 * S)
    assert indecision.update(CAMERA, 11 * S, False) == 0.0
    assert indecision.update(CAMERA, 12 * S, True) == 2.0
    assert indecision.update(CAMERA, 13 * S, True) == 3.0
    indecision.answered(CAMERA, 13 * S)
    assert indecision.update(CAMERA, 14 * S, True) == 1.0


def test_without_an_answer_the_first_frame_that_differs_is_the_start() -> None:
    """A key whose answer is not known starts at 0; frames that agree before do not count."""
    indecision = Indecision()
    assert indecision.update(CAMERA, 1 * S, False) == 0.0
    assert indecision.update(CAMERA, 5 * S, True) == 0.0
    assert indecision.update(CAMERA, 7 * S, True) == 2.0


def test_an_answer_that_flips_stays_undecided() -> None:
    """A frame that agrees in between does not restart the clock (Uber 2018)."""
    indecision = Indecision()
    indecision.answered(CAMERA, 0)
    told = [indecision.update(CAMERA, n * S // 2, n % 2 == 0) for n in range(1, 13)]
    assert told[1::2] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert set(told[::2]) == {0.0}


def test_tracks_and_cameras_have_clocks_of_their_own() -> None:
    """An answer about one track says nothing about another, nor about another camera."""
    indecision = Indecision()
    for key in (('front', 1), ('front', 2), ('rear', 1)):
        indecision.answered(key, 0)
    indecision.answered(('front', 1), 4 * S)
    assert indecision.update(('front', 1), 5 * S, True) == 1.0
    assert indecision.update(('front', 2), 5 * S, True) == 5.0
    assert indecision.update(('rear', 1), 5 * S, True) == 5.0


def test_a_stamp_that_goes_back_takes_no_time_off() -> None:
    """An old frame counts as the latest of its key, and never gives a negative time."""
    indecision = Indecision()
    indecision.answered(CAMERA, 10 * S)
    assert indecision.update(CAMERA, 5 * S, True) == 0.0
    assert indecision.update(CAMERA, 13 * S, True) == 3.0
    assert indecision.update(CAMERA, 11 * S, True) == 3.0


def test_an_answer_with_an_older_stamp_restarts_there() -> None:
    """A late answer about an older frame decides that frame: the time since then counts."""
    indecision = Indecision()
    indecision.answered(CAMERA, 10 * S)
    indecision.answered(CAMERA, 8 * S)
    assert indecision.update(CAMERA, 9 * S, True) == 1.0


def test_rewind_moves_later_starts_and_no_others() -> None:
    """A start after the new time becomes it and time passes again; an earlier one stays."""
    indecision = Indecision()
    indecision.answered(('front', 1), 2 * S)
    indecision.answered(('front', 2), 9 * S)
    indecision.update(('front', 1), 20 * S, True)
    indecision.rewind(5 * S)
    assert indecision.update(('front', 1), 6 * S, True) == 4.0
    assert indecision.update(('front', 2), 6 * S, True) == 1.0


def test_after_a_rewind_forgetting_works_on_the_new_time() -> None:
    """A key is forgotten 60 s after the rewound stamp, not 60 s after the stamps before it."""
    indecision = Indecision()
    indecision.answered(CAMERA, 1000 * S)
    indecision.rewind(0)
    indecision.update(('rear', -1), 60 * S, True)
    assert len(indecision) == 2
    indecision.update(('rear', -1), 60 * S + 1, True)
    assert len(indecision) == 1


def test_a_rewind_before_the_first_frame_does_nothing() -> None:
    """The clock may be set back before anything was seen."""
    indecision = Indecision()
    indecision.rewind(5 * S)
    assert indecision.update(CAMERA, 1 * S, True) == 0.0
    assert indecision.update(CAMERA, 2 * S, True) == 1.0


@pytest.mark.parametrize(('gap_ns', 'undecided_s'), [(60 * S, 60.0), (60 * S + 1, 0.0)])
def test_a_key_not_seen_for_a_minute_is_forgotten(gap_ns: int, undecided_s: float) -> None:
    """After exactly 60 s the clock still runs, a nanosecond later it starts afresh."""
    indecision = Indecision()
    indecision.answered(CAMERA, 3 * S)
    assert indecision.update(CAMERA, 3 * S + gap_ns, True) == undecided_s


def test_an_answer_counts_as_seen() -> None:
    """An answer about the oldest key leaves the next one first to be forgotten."""
    indecision = Indecision()
    for track in (1, 2):
        indecision.answered(('front', track), 0)
    indecision.answered(('front', 1), 30 * S)
    assert indecision.update(('front', 3), 61 * S, False) == 0.0
    assert len(indecision) == 1
    assert indecision.update(('front', 1), 61 * S, True) == 31.0


def test_a_key_that_is_seen_is_never_forgotten() -> None:
    """Frames that merely agree keep the time of the slow answer, however long ago."""
    indecision = Indecision()
    indecision.answered(CAMERA, 0)
    for n in range(1, 10):
        indecision.update(CAMERA, n * 50 * S, False)
    assert indecision.update(CAMERA, 500 * S, True) == 500.0


def test_a_camera_whose_clock_is_behind_keeps_its_tracks() -> None:
    """Its stamps are never within 60 s of the latest of all, and its time counts all the same."""
    indecision = Indecision()
    for n in range(5):
        indecision.update(('front', 1), (1000 + n) * S, True)
        assert indecision.update(('rear', 1), n * S, True) == float(n)


def test_memory_is_bounded() -> None:
    """At most 1000 keys are kept, and those seen longest ago are dropped first."""
    indecision = Indecision()
    for track in range(1000):
        indecision.answered(('front', track), 0)
    indecision.update(('front', 0), 1, False)
    for track in range(1000, 1010):
        indecision.update(('front', track), S, True)
    assert len(indecision) == 1000
    assert indecision.update(('front', 0), 2 * S, True) == 2.0
    assert indecision.update(('front', 11), 2 * S, True) == 2.0
    assert indecision.update(('front', 1), 2 * S, True) == 0.0
    assert len(indecision) == 1000


def test_frames_that_agree_need_no_memory() -> None:
    """A key without an answer and without a difference is not kept."""
    indecision = Indecision()
    for track in range(50):
        indecision.update(('front', track), 0, False)
    assert len(indecision) == 0


@pytest.mark.parametrize(
    ('undecided_s', 'due'),
    [
        (0.0, Due.NONE),
        (math.nextafter(1.5, 0.0), Due.NONE),
        (1.5, Due.FORCED),
        (math.nextafter(3.0, 0.0), Due.FORCED),
        (3.0, Due.CONSERVATIVE),
        (100.0, Due.CONSERVATIVE),
    ],
)
def test_what_is_due(undecided_s: float, due: Due) -> None:
    """From half the longest time on a call is forced, from all of it on the answer is cautious."""
    assert Indecision.due(undecided_s, 3.0) is due
    assert Indecision.due(undecided_s, None) is Due.NONE


@given(st.integers(1, 10_000), st.integers(0, 10**18))
def test_a_whole_limit_is_due_on_its_stamp(limit_s: int, start_ns: int) -> None:
    """The frame exactly a limit of whole seconds after the answer is not missed by rounding."""
    indecision = Indecision()
    indecision.answered(CAMERA, start_ns)
    for second in range(50, limit_s, 50):
        indecision.update(CAMERA, start_ns + second * S, True)
    undecided_s = indecision.update(CAMERA, start_ns + limit_s * S, True)
    assert Indecision.due(undecided_s, float(limit_s)) is Due.CONSERVATIVE
