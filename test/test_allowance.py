"""Allowance: a user's words give the core's numbers, and what cannot hold is refused in words."""

from dataclasses import replace
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import CALLS
from scripted import PATIENT
from selector import allowance as module
from selector.allowance import Allowance
from selector.allowance import Derived
from selector.allowance import derived
from selector.allowance import parse
from selector.allowance import render
from selector.allowance import resource_of
from selector.budget import Resource
from selector.cost import RESOURCE_UNITS
from selector.errors import ConfigError

NUMBER = st.floats(1e-3, 1e6)
# The same amount per second, said in two ways.
SAME = [
    ('slow_calls', 'calls/min', 60.0, 'calls/s', 1.0),
    ('slow_calls', 'calls/h', 3600.0, 'Hz', 1.0),
    ('slow_calls', 'calls/week', 7.0, 'calls/day', 1.0),
    ('energy_j', 'kJ/h', 3600.0, 'W', 1000.0),
    ('energy_j', 'Wh/h', 1.0, 'W', 1.0),
    ('energy_j', 'J/s', 1000.0, 'kW', 1.0),
    ('energy_j', 'MJ/day', 86.4, 'W', 1000.0),
    ('latency_s', 'ms/s', 100.0, 's/s', 0.1),
    ('money_eur', 'ct/h', 100.0, 'EUR/h', 1.0),
    ('money_eur', 'EUR/day', 24.0, 'euros per hour', 1.0),
    ('sent_bytes', 'Mbit/s', 8.0, 'MB/s', 1.0),
    ('energy_j', 'kWh/h', 1.0, 'mWh/h', 1e6),
    ('energy_j', 'MWh/h', 1.0, 'mJ/s', 1e9),
    ('latency_s', 'hours/day', 1.0, 'minutes/day', 60.0),
    ('latency_s', 'h/week', 1.0, 'sec/week', 3600.0),
    ('sent_bytes', 'bits/s', 8.0, 'bytes/s', 1.0),
    ('sent_bytes', 'kbit/s', 8.0, 'kB/s', 1.0),
    ('sent_bytes', 'Gbit/s', 8000.0, 'TB/s', 1.0),
    ('sent_bytes', 'Tbit/s', 8.0, 'GB/s', 1000.0),
    ('sent_bytes', 'Kibit/s', 8.0, 'KiB/s', 1.0),
    ('sent_bytes', 'Mibit/s', 8.0, 'KiB/s', 1024.0),
    ('sent_bytes', 'Gibit/s', 8.0, 'MiB/s', 1024.0),
    ('sent_bytes', 'GiB/s', 1.0, 'MiB/s', 1024.0),
    ('sent_bytes', 'KiB/s', 1000.0, 'B/s', 1_024_000.0),
]


def _resource(words: Allowance, **changes: Any) -> Resource:
    values: dict[str, Any] = {
        'burst': None,
        'price_ceiling': 1.0,
        'exchange_rate': 0.05,
        'cost_max': 1.0,
    }
    return resource_of(words, **(values | changes))


def _refusal(text: str, resource: str, battery_wh: float | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse(text, resource, battery_wh)
    return caught.value


def _says(error: ConfigError, *parts: str) -> None:
    missing = [part for part in parts if part not in str(error)]
    assert not missing, f'{missing} not in: {error}'


@pytest.mark.parametrize(
    ('text', 'resource', 'rate'),
    [
        ('2 calls/s', 'slow_calls', 2.0),
        ('120 calls/min', 'slow_calls', 2.0),
        ('5000 calls/h', 'slow_calls', 5000.0 / 3600.0),
        ('1 call per second', 'slow_calls', 1.0),
        ('2 calls a minute', 'slow_calls', 2.0 / 60.0),
        ('0.5Hz', 'slow_calls', 0.5),
        ('6 W', 'energy_j', 6.0),
        ('6watts', 'energy_j', 6.0),
        ('0.5 kW', 'energy_j', 500.0),
        ('20 J/s', 'energy_j', 20.0),
        ('72 kJ/h', 'energy_j', 20.0),
        ('3 Wh/h', 'energy_j', 3.0),
        ('3 WH PER HOUR', 'energy_j', 3.0),
        ('5 mW', 'energy_j', 0.005),
        ('5 MW', 'energy_j', 5e6),
        ('2 EUR/day', 'money_eur', 2.0 / 86400.0),
        ('2 € / week', 'money_eur', 2.0 / 604800.0),
        ('50 ct/h', 'money_eur', 0.5 / 3600.0),
        ('1.5 Mbit/s', 'sent_bytes', 187_500.0),
        ('200 kB/s', 'sent_bytes', 200_000.0),
        ('5 GB/day', 'sent_bytes', 5e9 / 86400.0),
        ('1 KB/sec', 'sent_bytes', 1000.0),
        ('0.1 s/s', 'latency_s', 0.1),
        ('6e1 ms per s', 'latency_s', 0.06),
        ('1 min/h', 'latency_s', 1.0 / 60.0),
        ('0 calls/s', 'slow_calls', 0.0),
    ],
)
def test_words_give_units_per_second(text: str, resource: str, rate: float) -> None:
    """Every documented way of saying a rate gives it in units of the resource per second."""
    words = parse(text, resource)
    assert words == Allowance(resource, words.rate, None, text)
    assert words.rate == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize(
    'text', ['500 calls/mission', '500calls per Mission', '500 call/missions']
)
def test_a_total_per_mission_is_no_rate(text: str) -> None:
    """Per mission gives the total, and no rate until the mission's length is known."""
    assert parse(text, 'slow_calls') == Allowance('slow_calls', 0.0, 500.0, text)


@pytest.mark.parametrize(
    'text', ['15 %/h', '15% per hour', '15 % of battery per hour', '15 percent of the battery / h']
)
def test_a_share_of_the_battery_is_energy(text: str) -> None:
    """15 % an hour of 100 Wh are 15 W."""
    assert parse(text, 'energy_j', 100.0).rate == pytest.approx(15.0, rel=1e-12)
    assert parse('80 %/mission', 'energy_j', 50.0).total == pytest.approx(144_000.0, rel=1e-12)


@pytest.mark.parametrize('battery_wh', [None, 0.0, -1.0, math.nan, math.inf])
def test_a_share_of_an_unknown_battery_names_the_parameter(battery_wh: float | None) -> None:
    """Without a capacity a share is refused, and the message says what to set."""
    error = _refusal('15 %/h', 'energy_j', battery_wh)
    _says(error, "'15 %/h'", 'budget.battery_wh', str(battery_wh))
    assert parse('6 W', 'energy_j', battery_wh).rate == 6.0


@pytest.mark.parametrize(('resource', 'first', 'much', 'second', 'little'), SAME)
@PATIENT
@given(number=NUMBER)
def test_units_are_one_algebra(
    resource: str, first: str, much: float, second: str, little: float, number: float
) -> None:
    """Whatever the number, two ways of saying the same amount agree to 1e-12 relative."""
    one = parse(f'{number * much!r} {first}', resource).rate
    two = parse(f'{number * little!r} {second}', resource).rate
    assert one == pytest.approx(two, rel=1e-12, abs=0.0)


@PATIENT
@given(NUMBER, st.sampled_from(sorted(RESOURCE_UNITS)))
def test_a_rate_in_the_unit_of_the_core_reads_back(number: float, resource: str) -> None:
    """`x unit/s` of every resource is x exactly, spaces or not, upper or lower case."""
    unit = RESOURCE_UNITS[resource]
    assert parse(f'{number!r} {unit}/s', resource).rate == number
    assert parse(f'{number!r}{unit} PER SECOND', resource).rate == number


def test_the_units_that_fit_are_listed_once() -> None:
    """A refusal lists every unit in the singular only."""
    assert str(_refusal('2 $/h', 'money_eur')).endswith('money_eur: EUR, €, euro, ct, cent')


def test_every_resource_has_units() -> None:
    """No budgeted resource is without words, and no words are without a resource."""
    assert set(module._UNITS) == set(RESOURCE_UNITS)


@pytest.mark.parametrize(
    ('text', 'resource', 'parts'),
    [
        ('1,5 Mbit/s', 'sent_bytes', ['comma', "'1.5 Mbit/s'"]),
        ('1,000 calls/h', 'slow_calls', ['comma', 'thousands']),
        ('6 W', 'slow_calls', ["'W' of energy_j", 'units of slow_calls: Hz, call']),
        ('15 %/h', 'slow_calls', ["'%' of energy_j", 'Hz, call']),
        ('2 calls/s', 'energy_j', ["'calls' of slow_calls", 'J, kJ', 'Wh', 'W, kW']),
        ('2 kB/s', 'latency_s', ["'kB' of sent_bytes", 's, ms, h']),
        ('2 $/h', 'money_eur', ["'$', which is unknown", 'EUR, €']),
        ('2 cals/s', 'slow_calls', ["'cals'", "did you mean 'calls'?"]),
        ('3 Mbits/s', 'slow_calls', ["'Mbits' of sent_bytes"]),
        ('3 Mbyte/s', 'sent_bytes', ["'Mbyte'", 'did you mean', 'MB']),
        ('3 Ws/h', 'energy_j', ["'Ws', which is unknown"]),
        ('2 calls/hor', 'slow_calls', ["'hor'", "did you mean 'hour'?", 'week, mission']),
        ('3 Mb/s', 'sent_bytes', ["'Mb'", 'MB or Mbit']),
        ('3 b/s', 'sent_bytes', ["'b'", 'B or bit']),
        ('3 mw', 'energy_j', ["'mw'", 'MW or mW']),
        ('3 Mj/h', 'energy_j', ["'Mj'", 'MJ or mJ']),
        ('500 calls', 'slow_calls', ['no time', "'500 calls/h'", 'mission']),
        ('6 W/h', 'energy_j', ['W, which is per second already', "'h'"]),
        ('6 kW per mission', 'energy_j', ['kW, which is per second already', "'mission'"]),
        ('2 calls/s/s', 'slow_calls', ['number, unit and time', '2 calls/s']),
        ('2 calls/', 'slow_calls', ['number, unit and time']),
        ('5 per hour', 'slow_calls', ['number, unit and time']),
        ('5', 'slow_calls', ['number, unit and time']),
        ('', 'slow_calls', ['does not start with a number', '2 calls/s']),
        ('many calls/s', 'slow_calls', ['does not start with a number']),
        ('-2 calls/s', 'slow_calls', ['-2.0', '>= 0']),
        ('− 2 calls/s', 'slow_calls', ['-2.0', '>= 0']),
        ('nan W', 'energy_j', ['nan', 'finite']),
        ('inf W', 'energy_j', ['inf', 'finite']),
        ('-Infinity calls/s', 'slow_calls', ['-inf', 'finite']),
        ('1e999 calls/s', 'slow_calls', ['inf', 'finite']),
        ('1e308 GB/s', 'sent_bytes', ['too large or too small']),
        ('1e-323 calls/week', 'slow_calls', ['too large or too small']),
        ('2 calls/s', 'slow_cals', ["'slow_cals'", "did you mean 'slow_calls'?", 'money_eur']),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(
    text: str, resource: str, parts: list[str]
) -> None:
    """The message says what was given, what is wrong with it and what is allowed."""
    error = _refusal(text, resource, 100.0)
    _says(error, f"budget '{text}'", *parts)
    assert error.values['text'] == text


@PATIENT
@given(st.text(alphabet='0123456789.,-+eE nanifcalsWhkMbBit/per%€day', max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text raises anything but a ConfigError; what is read is finite and not negative."""
    for resource in RESOURCE_UNITS:
        try:
            words = parse(text, resource, 100.0)
        except ConfigError as error:
            assert error.values
            continue
        assert 0.0 <= words.rate < math.inf
        assert words.total is None or (0.0 <= words.total < math.inf and words.rate == 0.0)


def test_a_rate_becomes_a_resource() -> None:
    """Rate and settings are taken over; the default burst is 20 of the dearest invocations."""
    assert _resource(parse('120 calls/min', 'slow_calls')) == CALLS
    resource = _resource(parse('6 W', 'energy_j'), cost_max=3.0, price_ceiling=0.5)
    assert (resource.rate, resource.burst, resource.price_ceiling) == (6.0, 60.0, 0.5)
    assert _resource(parse('6 W', 'energy_j'), cost_max=3.0, burst=7.0).burst == 7.0


@PATIENT
@given(
    total=NUMBER,
    share=st.floats(1e-6, 0.999999),
    mission_s=st.floats(1.0, 1e6),
    base=st.floats(0.0, 0.99),
)
def test_a_total_is_never_exceeded(
    total: float, share: float, mission_s: float, base: float
) -> None:
    """Burst, accrual and base load over the whole mission sum up to the total and no more."""
    burst = total * share
    base_rate = base * (total - burst) / mission_s
    resource = _resource(
        parse(f'{total!r} J/mission', 'energy_j'),
        burst=burst,
        cost_max=burst / 20.0,
        base_rate=base_rate,
        mission_s=mission_s,
    )
    whole = (resource.rate + base_rate) * mission_s + resource.burst
    assert total * (1.0 - 1e-12) <= whole <= total * (1.0 + 1e-12)
    assert resource.rate * mission_s + resource.burst <= total * (1.0 + 1e-12)
    assert resource.rate > 0.0


@pytest.mark.parametrize('mission_s', [None, 0.0, -1.0, math.nan, math.inf])
def test_a_total_needs_the_length_of_the_mission(mission_s: float | None) -> None:
    """Without a length > 0 a total is refused and the message names what to set."""
    with pytest.raises(ConfigError) as caught:
        _resource(parse('500 calls/mission', 'slow_calls'), mission_s=mission_s)
    _says(caught.value, "'500 calls/mission'", f'mission_s = {mission_s}', '> 0')


def test_a_total_within_its_burst_is_told_what_would_fit() -> None:
    """The message names a total and a burst that fit; both do."""
    words = parse('10 calls/mission', 'slow_calls')
    with pytest.raises(ConfigError) as caught:
        _resource(words, mission_s=100.0)
    _says(caught.value, 'burst of 20 calls', 'more than 20 calls', 'from 2 to less than 10 calls')
    assert caught.value.values['total'] == 10.0
    assert _resource(words, mission_s=100.0, burst=2.0).rate == pytest.approx(0.08)
    with pytest.raises(ConfigError, match='more than 10 calls$'):
        _resource(words, mission_s=100.0, cost_max=5.0, burst=10.0)


def test_the_base_load_is_subtracted() -> None:
    """Rho = what is allowed - what fast model and idling use."""
    assert _resource(parse('6 W', 'energy_j'), base_rate=4.0).rate == 2.0


@pytest.mark.parametrize('text', ['3 W', '4 W'])
def test_a_budget_within_the_base_load_is_told_what_would_fit(text: str) -> None:
    """The message names base load, budget and the least budget that leaves a call a minute."""
    with pytest.raises(ConfigError) as caught:
        _resource(parse(text, 'energy_j'), base_rate=4.0, cost_max=3.0)
    _says(caught.value, 'base load of fast + idle is 4 W', f'the budget {text}', 'at least 4.05 W')
    least = caught.value.values['least']
    fitting = _resource(parse(f'{least} W', 'energy_j'), base_rate=4.0, cost_max=3.0)
    assert fitting.rate * 60.0 == pytest.approx(3.0)


def test_a_total_within_the_base_load_is_told_which_total_would_fit() -> None:
    """With a total the message names the total, burst and base load included, that would fit."""
    settings: dict[str, Any] = {'base_rate': 4.0, 'cost_max': 3.0, 'mission_s': 1000.0}
    with pytest.raises(ConfigError) as caught:
        _resource(parse('2060 J/mission', 'energy_j'), **settings)
    _says(caught.value, 'is 4 W', 'the budget 2 W', '4110 J/mission')
    least = caught.value.values['least']
    fitting = _resource(parse(f'{least} J/mission', 'energy_j'), **settings)
    assert fitting.rate * 60.0 == pytest.approx(3.0)


@pytest.mark.parametrize('text', ['0 calls/s', '0 calls/mission'])
@pytest.mark.parametrize('burst', [None, 0.0])
def test_nothing_allowed_disables(text: str, burst: float | None) -> None:
    """0 with burst 0, which is then the default, disables, whatever the base load."""
    words = parse(text, 'slow_calls')
    assert _resource(words, burst=burst).disabled
    assert _resource(words, burst=burst, base_rate=4.0).disabled


def test_a_burst_alone_is_allowed_when_nothing_else_draws_on_it() -> None:
    """Rate 0 with a burst is what may be used once; a base load would overdraw it."""
    words = parse('0 W', 'energy_j')
    resource = _resource(words, burst=20.0)
    assert (resource.rate, resource.burst, resource.disabled) == (0.0, 20.0, False)
    with pytest.raises(ConfigError, match='base load'):
        _resource(words, burst=20.0, base_rate=1.0)
    with pytest.raises(ConfigError, match='burst of 20 J'):
        _resource(parse('0 J/mission', 'energy_j'), burst=20.0, mission_s=10.0)


@pytest.mark.parametrize('value', [-1.0, math.nan, math.inf])
@pytest.mark.parametrize(
    'field', ['burst', 'cost_max', 'base_rate', 'price_ceiling', 'exchange_rate']
)
def test_settings_out_of_range_are_refused_by_name(field: str, value: float) -> None:
    """Every number has its range, and the message names the number."""
    with pytest.raises(ConfigError, match=f'{field} = {value}'):
        _resource(parse('2 calls/s', 'slow_calls'), **{field: value})


def test_a_burst_that_covers_no_invocation_is_told_what_would_fit() -> None:
    """Too small a burst is refused with one that fits; without a cost there is no default."""
    words = parse('6 W', 'energy_j')
    with pytest.raises(ConfigError) as caught:
        _resource(words, burst=3.0, cost_max=4.0)
    _says(caught.value, '3.0', '8.0', '40.0')
    with pytest.raises(ConfigError, match='state a burst > 0'):
        _resource(words, cost_max=0.0)
    assert _resource(words, cost_max=0.0, burst=5.0).burst == 5.0


def test_the_derived_numbers_are_those_of_the_core() -> None:
    """B = 20 calls at 2 calls/s last 10 s and pay for 20 calls; nothing to warn of."""
    assert derived(CALLS) == Derived(
        resource='slow_calls',
        unit='calls',
        rate=2.0,
        burst=20.0,
        price_ceiling=1.0,
        exchange_rate=0.05,
        step=CALLS.step,
        longest_s=10.0,
        calls_in_burst=20.0,
        warning='',
    )


def test_nothing_is_divided_by_zero() -> None:
    """Rate 0 lasts for ever and free calls never end, but 0 of either is 0."""
    once = derived(replace(CALLS, rate=0.0))
    assert (once.longest_s, once.warning) == (
        math.inf,
        'nothing accrues: the burst is all there is',
    )
    assert derived(replace(CALLS, cost_max=0.0)).calls_in_burst == math.inf
    off = derived(replace(CALLS, rate=0.0, burst=0.0, cost_max=0.0))
    assert (off.longest_s, off.calls_in_burst) == (0.0, 0.0)
    assert 'disabled' in off.warning


@pytest.mark.parametrize(('burst', 'warned'), [(5.0, True), (9.99, True), (10.0, False)])
def test_a_small_burst_is_warned_of(burst: float, warned: bool) -> None:
    """Below 10 invocations the user sees what share of the optimum that costs."""
    warning = derived(replace(CALLS, burst=burst)).warning
    assert bool(warning) is warned
    if warned:
        for part in (f'{burst:g} invocations', '.92', '.96', '.98', '10 calls'):
            assert part in warning


def test_the_table_is_aligned_and_names_every_number() -> None:
    """Columns end where their header ends, every number is there, and warnings come below."""
    rows = [
        derived(CALLS),
        derived(replace(CALLS, name='energy_j', rate=0.125, burst=12.5, cost_max=2.5)),
    ]
    header, first, second, *warnings = render(rows).splitlines()
    assert len(header) == len(first) == len(second)
    assert first.split() == 'slow_calls calls 2 20 1 0.05 0.0526316 10 20'.split()
    assert second.split() == 'energy_j J 0.125 12.5 1 0.05 0.1 100 5'.split()
    for name in ('rho [u/s]', 'B [u]', 'kappa [accuracy/u]', 'beta [accuracy/u]', 'B/rho [s]'):
        end = header.index(name) + len(name)
        assert all(
            line[end - 1] != ' ' and line[end : end + 1] in (' ', '') for line in (first, second)
        )
    assert warnings == [f'energy_j: {rows[1].warning}']
    assert 'eta [accuracy/u^2]' in render([])
