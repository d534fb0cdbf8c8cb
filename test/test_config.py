"""Config: the one table of parameters refuses every mistake, and all of them at once."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import pytest
from selector.config import Config
from selector.config import flat
from selector.config import from_flat
from selector.config import Parameter
from selector.config import parameters
from selector.errors import ConfigError

TABLE = {p.name: p for p in parameters()}
BOUNDED = [p for p in TABLE.values() if p.low is not None]
OTHER_TYPE: dict[type, list[object]] = {
    bool: [0, 1, 'true', None, 1.0],
    int: [True, False, 1.5, 'many', None, [1]],
    float: [True, False, 'fast', None, [0.1], {'a': 1.0}],
    str: [True, 3, 0.5, None, ['x']],
}


def refusal(values: dict[str, Any]) -> ConfigError:
    """Return the error that `values` cause."""
    with pytest.raises(ConfigError) as caught:
        from_flat(values)
    return caught.value


def valid(parameter: Parameter) -> st.SearchStrategy[Any]:
    """Return a strategy of the values a parameter may have."""
    if parameter.type is bool:
        return st.booleans()
    if parameter.choices:
        return st.sampled_from(parameter.choices)
    if parameter.type is str:
        return st.text(st.characters(exclude_categories=['Cs']))
    assert parameter.low is not None
    assert parameter.high is not None
    if parameter.type is int:
        return st.integers(int(parameter.low), int(parameter.high))
    return st.floats(parameter.low, parameter.high)


VALUES = st.fixed_dictionaries({}, optional={n: valid(p) for n, p in TABLE.items()})


@given(VALUES)
def test_flat_and_from_flat_are_inverse(values: dict[str, Any]) -> None:
    """Whatever is allowed comes back as given, the rest with its default."""
    config = from_flat(values)
    told = flat(config)
    assert told == {n: values.get(n, p.default) for n, p in TABLE.items()}
    assert {n: type(v) for n, v in told.items()} == {n: p.type for n, p in TABLE.items()}
    assert from_flat(told) == config


def test_defaults_are_allowed_and_in_the_table() -> None:
    """The defaults pass their own check, and no parameter is left without a description."""
    assert flat(Config()) == {n: p.default for n, p in TABLE.items()}
    assert from_flat(flat(Config())) == Config()
    assert all(p.description.endswith('.') for p in TABLE.values())


def test_every_problem_is_named_at_once() -> None:
    """Two unknown names, a bad type and two bad values give five problems in one error."""
    problems = refusal(
        {
            'decision.dedline_s': 0.1,
            'xyzzy': 1,
            'decision.shadow': 1,
            'models.threads': 0,
            'image.reliability': 'perhaps',
        }
    ).values['problems']
    assert isinstance(problems, list)
    assert len(problems) == 5
    for name in ('decision.dedline_s', 'xyzzy', 'decision.shadow', 'models.threads'):
        assert sum(name in p for p in problems) == 1
    assert any("'reliable' or 'best_effort'" in p for p in problems)


@pytest.mark.parametrize('name', sorted(TABLE))
def test_a_misspelled_name_is_put_right(name: str) -> None:
    """One letter too many in any name is refused with the name that was meant."""
    error = refusal({f'{name}x': TABLE[name].default})
    assert f"unknown parameter '{name}x'; did you mean '{name}'?" in str(error)


def test_a_name_like_no_other_gets_no_advice() -> None:
    """Where nothing is close, nothing is suggested."""
    assert str(refusal({'qqqq': 1})) == "unknown parameter 'qqqq'"


@pytest.mark.parametrize(
    ('name', 'value'),
    [(n, v) for n, p in TABLE.items() for v in OTHER_TYPE[p.type]],
)
def test_another_type_is_refused(name: str, value: object) -> None:
    """A value of another type is refused by name; True is no number and 1 is no bool."""
    assert name in str(refusal({name: value}))


@pytest.mark.parametrize('name', [p.name for p in BOUNDED if p.type is float])
def test_an_int_passes_for_a_float(name: str) -> None:
    """`rate_hz: 1` in YAML is the number 1.0, not an error (a trap of ROS parameters)."""
    whole = 60 if name == 'decision.deadline_s' else 1000
    value = min(int(TABLE[name].high or 0), whole)
    told = flat(from_flat({name: value}))[name]
    assert told == value
    assert isinstance(told, float)


@pytest.mark.parametrize('parameter', BOUNDED, ids=lambda p: p.name)
@pytest.mark.parametrize('side', [-1, 1])
def test_out_of_range_names_range_and_unit(parameter: Parameter, side: int) -> None:
    """Just beyond either bound is refused; value, both bounds and the unit are in the message."""
    assert parameter.low is not None
    assert parameter.high is not None
    bound = parameter.low if side < 0 else parameter.high
    step = 1 if parameter.type is int else max(1e-9, abs(bound) * 1e-9)
    value = parameter.type(bound + side * step)
    text = str(refusal({parameter.name: value}))
    assert f'{parameter.name} = {value!r}' in text
    assert f'{parameter.low:g} to {parameter.high:g} {parameter.unit}'.rstrip() in text
    assert flat(from_flat({parameter.name: parameter.type(bound)}))[parameter.name] == bound


@pytest.mark.parametrize('value', [float('nan'), float('inf'), float('-inf')])
@pytest.mark.parametrize('name', [p.name for p in BOUNDED if p.type is float])
def test_numbers_that_are_none_are_refused(name: str, value: float) -> None:
    """NaN and the infinities are out of every range."""
    assert name in str(refusal({name: value}))


def test_a_group_is_no_parameter() -> None:
    """A value for a whole group is an unknown name, with a parameter of the group as advice."""
    assert "unknown parameter 'budget'" in str(refusal({'budget': 3}))


def test_config_cannot_be_changed() -> None:
    """A configuration is immutable, so that the one in the log is the one in use."""
    with pytest.raises(ValueError, match='frozen'):
        Config().decision.stake = 2.0
