"""Errors carry what was given, and suggest what may have been meant."""

import pytest
from selector import errors
from selector.errors import did_you_mean
from selector.errors import SelectorError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, SelectorError)
]


def test_every_kind_is_found() -> None:
    """The list below is not empty by accident: it holds the base and each kind of mistake."""
    assert {'SelectorError', 'ConfigError', 'SequenceError', 'MissingError', 'BagError'} <= {
        kind.__name__ for kind in KINDS
    }


@pytest.mark.parametrize('kind', KINDS)
def test_an_error_keeps_its_text_and_values(kind: type[SelectorError]) -> None:
    """The text is the message, the values stay by name, one base class catches all."""
    with pytest.raises(SelectorError) as caught:
        raise kind('burst = 1 is too small', burst=1.0, field='burst')
    assert str(caught.value) == 'burst = 1 is too small'
    assert caught.value.values == {'burst': 1.0, 'field': 'burst'}


@pytest.mark.parametrize('kind', KINDS)
def test_exit_codes(kind: type[SelectorError]) -> None:
    """A command exits with 3 when something is missing on this machine, else with 2."""
    assert kind('x').exit_code == (3 if kind is errors.MissingError else 2)


def test_a_bag_that_cannot_be_read_is_bad_input() -> None:
    """Who catches bad input catches bad bags; a bad parameter is another mistake."""
    assert issubclass(errors.BagError, errors.InputError)
    assert not issubclass(errors.ConfigError, errors.InputError)


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ('brust', "; did you mean 'burst'?"),
        ('rate', "; did you mean 'rate_hz'?"),
        ('zzz', ''),
        ('', ''),
    ],
)
def test_did_you_mean(given: str, expected: str) -> None:
    """The closest allowed name is suggested, and none when nothing is close."""
    assert did_you_mean(given, ['burst', 'rate_hz', 'stake']) == expected


def test_did_you_mean_takes_any_iterable() -> None:
    """A generator is enough, and with no allowed names nothing is suggested."""
    assert did_you_mean('stak', (name for name in ['stake'])) == "; did you mean 'stake'?"
    assert not did_you_mean('stake', [])
