"""Spending plan: a line of text that changes the rates with mission time, or a clear refusal."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import CALLS
from scripted import PATIENT
from selector.errors import ConfigError
from selector.spending_plan import parse_plan

TIMES = st.lists(st.integers(1, 10_000), unique=True, max_size=6).map(sorted)


@PATIENT
@given(TIMES, st.lists(st.integers(0, 50), min_size=7, max_size=7))
def test_a_plan_survives_its_text(times: list[int], factors: list[int]) -> None:
    """What is written as seconds:factor comes back as those numbers, in order."""
    pairs = tuple(zip([0, *times], factors, strict=False))
    assert parse_plan(' '.join(f'{at}:{factor}' for at, factor in pairs)) == pairs


def test_an_empty_text_is_no_plan() -> None:
    """Without a text the same rate accrues throughout."""
    assert parse_plan('  ') == ()


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('600:0.5', 'begin at 0'),
        ('0:1 600:2 600:1', 'increase'),
        ('0:1 600:2 300:1', 'increase'),
        ('0:1 600', "'600' is no seconds:factor"),
        ('0:-1', 'both >= 0'),
        ('0:nan', 'both >= 0'),
        ('0:1 inf:2', 'both >= 0'),
        ('half', "'half'"),
    ],
)
def test_a_wrong_plan_is_refused(text: str, words: str) -> None:
    """Times that do not begin at 0 or increase, and parts that are no numbers, are named."""
    with pytest.raises(ConfigError, match=words):
        parse_plan(text)


def test_the_plan_accrues_what_it_says() -> None:
    """2 calls/s for 10 s, then half of it: 25 calls in 15 s, in whatever pieces."""
    planned = replace(CALLS, plan=parse_plan('0:1 10:0.5'))
    assert planned.allowed(0.0, 15.0) == 25.0
    assert planned.allowed(0.0, 7.0) + planned.allowed(7.0, 15.0) == 25.0
