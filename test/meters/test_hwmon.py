"""Hwmon: the rails of a Jetson in a tree as its kernel shows it."""

from __future__ import annotations

from pathlib import Path

from fake_sysfs import rails
from fake_sysfs import write
import pytest
from selector.errors import InputError
from selector.errors import MissingError
from selector.meters.energy import spent
from selector.meters.hwmon import Ina3221

CLASS = 'sys/class/hwmon/hwmon2'
ORIN_NX = {
    1: ('VDD_IN', 5_000, 2_000),
    2: ('VDD_CPU_GPU_CV', 5_000, 800),
    3: ('VDD_SOC', 5_000, 300),
}
AGX = {1: ('VDD_GPU_SOC', 19_000, 200), 2: ('VDD_CPU_CV', 19_000, 100), 3: ('NC', 0, 0)}


def test_the_rail_of_the_whole_module_is_taken_alone(tmp_path: Path) -> None:
    """VDD_IN feeds the other rails: 10 W, not 15.5 W."""
    rails(tmp_path, CLASS, ORIN_NX)
    meter = Ina3221(tmp_path)
    assert meter.parts == ('VDD_IN',)
    assert 'the whole module' in meter.source
    first = meter.read(0.0)
    meter.read(1.0)
    assert spent(meter, first, meter.read(2.0)).value == pytest.approx(20.0)


def test_energy_is_the_integral_of_the_samples(tmp_path: Path) -> None:
    """10 W, then 20 W: the trapezoid between the readings."""
    rails(tmp_path, CLASS, ORIN_NX)
    meter = Ina3221(tmp_path)
    first = meter.read(0.0)
    write(tmp_path, {f'{CLASS}/curr1_input': 4_000})
    assert spent(meter, first, meter.read(1.0)).value == pytest.approx(15.0)


def test_without_such_a_rail_all_are_added_and_named(tmp_path: Path) -> None:
    """Two chips; channels that are not connected or switched off are no rails."""
    rails(tmp_path, 'sys/class/hwmon/hwmon0', {1: ('cpu', 1, 1)}, name='coretemp')
    rails(tmp_path, CLASS, AGX)
    rails(tmp_path, 'sys/class/hwmon/hwmon3', {2: ('VDDQ', 5_000, 100), 3: ('OFF', 5_000, 900)})
    write(tmp_path, {'sys/class/hwmon/hwmon3/in3_enable': 0, f'{CLASS}/in7_label': 'sum of shunt'})
    meter = Ina3221(tmp_path)
    assert meter.parts == ('VDD_GPU_SOC + VDD_CPU_CV + VDDQ',)
    assert 'these rails' in meter.source
    first = meter.read(0.0)
    assert spent(meter, first, meter.read(1.0)).value == pytest.approx(3.8 + 1.9 + 0.5)


def test_the_drivers_folder_is_looked_into_as_well(tmp_path: Path) -> None:
    """Chips that `class` does not show are found through the driver."""
    rails(tmp_path, 'sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon4', ORIN_NX)
    assert Ina3221(tmp_path).parts == ('VDD_IN',)


def test_both_ways_to_one_chip_count_once(tmp_path: Path) -> None:
    """The same chip in both places is not added twice."""
    rails(tmp_path, CLASS, AGX)
    link = tmp_path / 'sys/bus/i2c/drivers/ina3221/1-0040/hwmon'
    link.mkdir(parents=True)
    (link / 'hwmon2').symlink_to(tmp_path / CLASS)
    assert Ina3221(tmp_path).parts == ('VDD_GPU_SOC + VDD_CPU_CV',)


def test_rails_can_be_named(tmp_path: Path) -> None:
    """The named ones are added; an unknown one is refused with those that are there."""
    rails(tmp_path, CLASS, ORIN_NX)
    assert Ina3221(tmp_path, ['VDD_SOC']).parts == ('VDD_SOC',)
    with pytest.raises(InputError, match="rails here: VDD_IN, .*did you mean 'VDD_SOC'"):
        Ina3221(tmp_path, ['VDD_SOK'])


def test_the_period_is_the_chips(tmp_path: Path) -> None:
    """110 ms: slower than most calls, so their figures will be profiled."""
    rails(tmp_path, CLASS, ORIN_NX)
    assert Ina3221(tmp_path).period_s == pytest.approx(0.11)
    (tmp_path / CLASS / 'update_interval').unlink()
    assert Ina3221(tmp_path).period_s > 0.0


@pytest.mark.parametrize('file', ['in1_input', 'curr1_input'])
@pytest.mark.parametrize('content', ['-5', 'nan', '', 'x', None])
def test_nonsense_and_vanished_files_are_unknown(
    tmp_path: Path, file: str, content: str | None
) -> None:
    """Negative, NaN, no number or no file: a fault that is told, never 0 W."""
    rails(tmp_path, CLASS, ORIN_NX)
    meter = Ina3221(tmp_path)
    first = meter.read(0.0)
    if content is None:
        (tmp_path / CLASS / file).unlink()
    else:
        write(tmp_path, {f'{CLASS}/{file}': content})
    last = meter.read(1.0)
    assert last.fault
    assert spent(meter, first, last).value is None


def test_a_rail_without_current_is_unknown(tmp_path: Path) -> None:
    """A module that draws nothing runs nothing: the sensor is dead."""
    rails(tmp_path, CLASS, {1: ('VDD_IN', 5_000, 0)})
    meter = Ina3221(tmp_path)
    first = meter.read(0.0)
    assert 'VDD_IN did not move' in spent(meter, first, meter.read(1.0)).source


def test_no_chip_and_no_rail(tmp_path: Path) -> None:
    """No such chip is no Jetson; a chip without labels has no rails."""
    with pytest.raises(MissingError, match='no Jetson'):
        Ina3221(tmp_path)
    rails(tmp_path, CLASS, {})
    with pytest.raises(MissingError, match='no rail has a label'):
        Ina3221(tmp_path)
