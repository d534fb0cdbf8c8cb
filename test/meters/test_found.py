"""Found: each kind of meter is listed, usable or with what to do about it."""

from __future__ import annotations

from pathlib import Path
import tempfile

from fake_sysfs import as_nobody
from fake_sysfs import rails
from fake_sysfs import write
from fake_sysfs import zones
import pytest
from selector.meters.energy import Count
from selector.meters.energy import Reading
from selector.meters.energy import spent
from selector.meters.figure import Kind
from selector.meters.found import chosen
from selector.meters.found import find_meters
from selector.meters.together import Together
from test_nvml import Bindings
from test_nvml import NVMLError


def test_nothing_here(tmp_path: Path) -> None:
    """Every kind is named with a reason, and none is chosen: no sensor, no figure."""
    found = find_meters(tmp_path)
    assert [f.name for f in found] == ['powercap', 'ina3221', 'nvml', 'battery', 'modelled']
    assert all(f.meter is None and f.reason for f in found)
    assert chosen(found) is None


def test_this_machine_can_be_asked() -> None:
    """Whatever is here: each is usable and says what it covers, or says why it is not."""
    for found in find_meters():
        assert found.reason
        if found.meter is not None:
            assert found.meter.read(0.0).fault == ''


def test_cpu_and_gpus_are_read_together(tmp_path: Path) -> None:
    """A workstation: the CPU's counters and both GPUs add up; no part is in another."""
    zones(tmp_path, {'intel-rapl:0': ('package-0', 5)})
    meter = chosen(find_meters(tmp_path, Bindings(count=[2], energy_mj=[3_000])))
    assert meter is not None
    assert meter.name == 'powercap+nvml-0+nvml-1'
    assert meter.parts == ('package-0', 'nvml-0', 'nvml-1')
    # The slowest of them decides what a figure is worth.
    assert meter.period_s == pytest.approx(0.1)


def test_the_sum_of_meters(tmp_path: Path) -> None:
    """1 J of the CPU and 2 J of the GPU are 3 J; a fault of one is a fault of the sum."""
    zones(tmp_path, {'intel-rapl:0': ('package-0', 5)})
    answers = [0, 0, 0, 0, 2_000, NVMLError('lost')]
    meter = chosen(find_meters(tmp_path, Bindings(energy_mj=answers)))
    assert meter is not None
    first = meter.read(0.0)
    write(tmp_path, {'sys/class/powercap/intel-rapl:0/energy_uj': 1_000_005})
    assert spent(meter, first, meter.read(1.0)).value == pytest.approx(3.0)
    assert 'lost' in meter.read(2.0).fault


class OneFault:
    """A meter of 1 W whose reading at a given time fails."""

    source = 'scripted'
    parts: tuple[str, ...] = ('all',)
    period_s = 0.1
    kind: Kind = 'measured'

    def __init__(self, name: str, fails_at_s: float) -> None:
        """Fail at `fails_at_s`."""
        self.name, self._fails_at_s, self._count = name, fails_at_s, Count()

    def read(self, stamp_s: float) -> Reading:
        """Return a second's energy more, or a fault."""
        if stamp_s == self._fails_at_s:
            return self._count.broken(stamp_s, 'gone')
        return self._count.add(stamp_s, (1.0,))


def test_the_sum_is_interrupted_where_one_is() -> None:
    """What one meter missed is missing in the sum, whichever of them it was."""
    for fails in ((1.0, 9.0), (9.0, 1.0)):
        meter = Together([OneFault(f'm{k}', at) for k, at in enumerate(fails)])
        first = meter.read(0.0)
        assert 'gone' in meter.read(1.0).fault
        back = meter.read(2.0)
        last = meter.read(3.0)
        assert 'interrupted' in spent(meter, first, last).source
        assert spent(meter, back, last).value == 2.0


def test_on_a_jetson_the_rails_are_enough(tmp_path: Path) -> None:
    """They feed the GPU too, so NVML beside them would count it twice."""
    rails(tmp_path, 'sys/class/hwmon/hwmon1', {1: ('VDD_IN', 5_000, 900)})
    meter = chosen(find_meters(tmp_path, Bindings(energy_mj=[1])))
    assert meter is not None
    assert meter.name == 'ina3221'


def test_a_meter_that_may_not_be_read_is_not_usable() -> None:
    """The reason tells how to allow it; the others are still listed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        zones(root, {'intel-rapl:0': ('package-0', 5)})
        (root / 'sys/class/powercap/intel-rapl:0/energy_uj').chmod(0)
        with as_nobody():
            found = {f.name: f for f in find_meters(root)}
    assert found['powercap'].meter is None
    assert 'sudo chmod' in found['powercap'].reason


def test_a_sensor_that_shows_nonsense_is_not_usable(tmp_path: Path) -> None:
    """A chip with a negative current is listed with that, not used."""
    rails(tmp_path, 'sys/class/hwmon/hwmon1', {1: ('VDD_IN', 5_000, -9)})
    found = {f.name: f for f in find_meters(tmp_path)}
    assert (found['ina3221'].meter, '-9 mA' in found['ina3221'].reason) == (None, True)


def test_nvml_without_gpus(tmp_path: Path) -> None:
    """A driver without a GPU is one line that says so."""
    found = {f.name: f for f in find_meters(tmp_path, Bindings(count=[0]))}
    assert 'no GPU' in found['nvml'].reason
