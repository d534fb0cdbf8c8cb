"""Powercap: counters wrap, overlap, stand still and are root's; each is told or handled."""

from __future__ import annotations

from pathlib import Path
import shutil
import tempfile

from fake_sysfs import as_nobody
from fake_sysfs import RANGE_UJ
from fake_sysfs import write
from fake_sysfs import zones
from hypothesis import given
from hypothesis import strategies as st
import pytest
from selector.errors import MissingError
from selector.meters.energy import spent
from selector.meters.powercap import Powercap

TWO_SOCKETS = {
    'intel-rapl:0': ('package-0', 1_000_000_000),
    'intel-rapl:0:0': ('core', 400_000_000),
    'intel-rapl:0:1': ('dram', 90_000_000),
    'intel-rapl:1': ('package-1', 5_000_000_000),
    'intel-rapl:1:0': ('dram', 70_000_000),
    'intel-rapl:2': ('psys', 9_000_000_000),
    'intel-rapl-mmio:0': ('package-0', 3_000_000_000),
}


def counter(root: Path, zone: str, energy_uj: object) -> None:
    """Set one counter."""
    write(root, {f'sys/class/powercap/{zone}/energy_uj': energy_uj})


def test_nothing_is_added_twice(tmp_path: Path) -> None:
    """Packages and memory add up; cores, psys and the second way to the package do not."""
    zones(tmp_path, TWO_SOCKETS)
    meter = Powercap(tmp_path)
    assert meter.parts == ('package-0', 'package-1', 'dram-0', 'dram-1')
    first = meter.read(0.0)
    for zone, (_, start) in TWO_SOCKETS.items():
        counter(tmp_path, zone, start + 2_000_000)
    found = spent(meter, first, meter.read(1.0))
    assert found.value == pytest.approx(8.0)
    assert 'not the board' in found.source


def test_psys_is_taken_where_there_is_no_package(tmp_path: Path) -> None:
    """It contains the packages, so it stands alone."""
    zones(tmp_path, {'intel-rapl:0': ('psys', 10), 'intel-rapl:0:0': ('dram', 10)})
    assert Powercap(tmp_path).parts == ('psys',)


def test_mmio_is_taken_where_it_is_the_only_way(tmp_path: Path) -> None:
    """Without `intel-rapl` the same counters are read through `intel-rapl-mmio`."""
    zones(tmp_path, {'intel-rapl-mmio:0': ('package-0', 10)})
    assert Powercap(tmp_path).parts == ('package-0',)


def test_dies_that_mirror_one_counter_count_once(tmp_path: Path) -> None:
    """Dies with the same counter are one; dies with counters of their own are two."""
    zones(
        tmp_path,
        {
            'intel-rapl:0': ('package-0-die-0', 68_000_000_000),
            'intel-rapl:1': ('package-0-die-1', 68_000_000_200),
            'intel-rapl:2': ('package-1-die-0', 68_000_000_100),
            'intel-rapl:3': ('package-1-die-1', 51_000_000_000),
        },
    )
    parts = ('package-0-die-0', 'package-1-die-0', 'package-1-die-1')
    assert Powercap(tmp_path).parts == parts


def test_a_memory_counter_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    """`dram` at 0 is a machine without such a counter, not a machine without memory."""
    zones(tmp_path, {'intel-rapl:0': ('package-0', 10), 'intel-rapl:0:0': ('dram', 0)})
    assert Powercap(tmp_path).parts == ('package-0',)


@given(st.integers(0, RANGE_UJ), st.integers(1, 200_000_000_000))
def test_a_counter_may_wrap(start: int, used: int) -> None:
    """What was used is the same whether the counter wrapped meanwhile or not."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        zones(root, {'intel-rapl:0': ('package-0', start)})
        meter = Powercap(root)
        first = meter.read(0.0)
        counter(root, 'intel-rapl:0', (start + used) % RANGE_UJ)
        assert spent(meter, first, meter.read(200.0)).value == pytest.approx(1e-6 * used)


def test_a_wrap_that_may_have_been_missed_is_unknown(tmp_path: Path) -> None:
    """Not read for longer than a wrap can take: nothing is known of that time."""
    zones(tmp_path, {'intel-rapl:0': ('package-0', 5)})
    meter = Powercap(tmp_path)
    first = meter.read(0.0)
    counter(tmp_path, 'intel-rapl:0', 50)
    found = spent(meter, first, meter.read(3600.0))
    assert (found.value, 'may have wrapped unseen' in found.source) == (None, True)


def test_a_counter_that_stands_still_is_unknown(tmp_path: Path) -> None:
    """It is named, and it is not 0 J; the other package's energy is no answer either."""
    zones(tmp_path, {'intel-rapl:0': ('package-0', 5), 'intel-rapl:1': ('package-1', 9_000_000)})
    meter = Powercap(tmp_path)
    first = meter.read(0.0)
    counter(tmp_path, 'intel-rapl:0', 500)
    found = spent(meter, first, meter.read(1.0))
    assert found.value is None
    assert 'package-1 did not move' in found.source


@pytest.mark.parametrize('content', ['', 'nan', '-3', 'many', '\x00'])
def test_a_counter_with_nonsense_is_unknown(tmp_path: Path, content: str) -> None:
    """No number, NaN or a negative one: unknown, with the file that holds it."""
    zones(tmp_path, {'intel-rapl:0': ('package-0', 5)})
    meter = Powercap(tmp_path)
    first = meter.read(0.0)
    counter(tmp_path, 'intel-rapl:0', content)
    reading = meter.read(1.0)
    assert 'energy_uj' in reading.fault
    assert spent(meter, first, reading).value is None


def test_a_counter_that_vanishes_and_comes_back(tmp_path: Path) -> None:
    """Unknown while it is away and across; known again afterwards."""
    zones(tmp_path, {'intel-rapl:0': ('package-0', 5)})
    meter = Powercap(tmp_path)
    first = meter.read(0.0)
    shutil.rmtree(tmp_path / 'sys/class/powercap/intel-rapl:0')
    assert 'cannot be read' in meter.read(1.0).fault
    zones(tmp_path, {'intel-rapl:0': ('package-0', 1_000_000)})
    back = meter.read(2.0)
    assert spent(meter, first, back).value is None
    counter(tmp_path, 'intel-rapl:0', 3_000_000)
    assert spent(meter, back, meter.read(3.0)).value == pytest.approx(2.0)


def test_a_counter_without_a_range_that_goes_back(tmp_path: Path) -> None:
    """Some kernels give 0 as the range; then a smaller value cannot be explained."""
    zones(tmp_path, {'intel-rapl:0': ('package-0', 500)}, range_uj=0)
    meter = Powercap(tmp_path)
    meter.read(0.0)
    counter(tmp_path, 'intel-rapl:0', 5)
    assert 'went back' in meter.read(1.0).fault


def test_no_counters_at_all(tmp_path: Path) -> None:
    """No folder, or one without a package: said, not 0 J."""
    with pytest.raises(MissingError, match='no x86 CPU, or a virtual machine'):
        Powercap(tmp_path)
    zones(tmp_path, {'intel-rapl:0': ('uncore', 5)})
    with pytest.raises(MissingError, match='no counter of a package'):
        Powercap(tmp_path)


def test_counters_that_only_root_may_read() -> None:
    """The text says why and how to allow it, until the next boot and for good."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        zones(root, {'intel-rapl:0': ('package-0', 5)})
        root.chmod(0o755)
        (root / 'sys/class/powercap/intel-rapl:0/energy_uj').chmod(0o000)
        with as_nobody(), pytest.raises(MissingError) as told:
            Powercap(root)
    for part in ('only root', 'sudo chmod a+r', 'udev rule'):
        assert part in str(told.value)
