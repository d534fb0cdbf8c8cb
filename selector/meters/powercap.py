"""Powercap: the energy counters of x86 packages (RAPL; Intel, and AMD since Linux 5.8)."""

from __future__ import annotations

from pathlib import Path
import re
from typing import NamedTuple

from selector.errors import InputError
from selector.errors import MissingError
from selector.errors import SelectorError
from selector.meters.energy import Count
from selector.meters.energy import Reading
from selector.meters.figure import Kind
from selector.meters.sysfs import number
from selector.meters.sysfs import word

FOLDER = 'sys/class/powercap'
ALLOW = (
    'only root may read it, because power tells something about what is computed; to allow it '
    'until the next boot: sudo chmod a+r /sys/class/powercap/*/energy_uj; for good, a udev rule: '
    'SUBSYSTEM=="powercap", ACTION=="add", RUN+="/bin/chmod a+r /sys%p/energy_uj"'
)

WRAP_W = 1000.0
"""Power [W] of one domain up to which no wrap of its counter is missed between two readings."""

_MIRROR_UJ = 1e6


class _Zone(NamedTuple):
    name: str
    folder: Path
    range_uj: float


class Powercap:
    """Packages and memory of the CPU.

    Packages and `dram` are added: on the machines that have both, a package does not contain the
    memory. `core` and `uncore` lie inside their package and are left out. `psys` contains the
    packages and whatever else the maker of the board wired to it, so it is taken only where
    there is no package. The same packages behind `intel-rapl-mmio`, and dies that show the one
    counter of their package, are counted once.
    """

    name = 'powercap'
    period_s = 0.001
    kind: Kind = 'measured'

    def __init__(self, root: Path = Path('/')) -> None:
        """Find the counters below `root`.

        Raises:
            MissingError: there are none, or they may not be read; the text says how to allow it.
            InputError: a counter holds no number.
        """
        self._zones = _chosen(root / FOLDER)
        self.parts = tuple(zone.name for zone in self._zones)
        self.source = f'powercap counters {" + ".join(self.parts)}: CPU and memory, not the board'
        self._count = Count()
        self._last: tuple[float, list[float]] | None = None

    def read(self, stamp_s: float) -> Reading:
        """Return the reading at `stamp_s` [s], the time now."""
        last, self._last = self._last, None
        try:
            now = [_energy_uj(zone) for zone in self._zones]
            before = now if last is None else last[1]
            gap_s = 0.0 if last is None else stamp_s - last[0]
            used = [
                _moved_uj(zone, a, b, gap_s)
                for zone, a, b in zip(self._zones, before, now, strict=True)
            ]
        except SelectorError as err:
            return self._count.broken(stamp_s, str(err))
        self._last = (stamp_s, now)
        return self._count.add(stamp_s, [1e-6 * uj for uj in used])


def _chosen(folder: Path) -> list[_Zone]:
    if not folder.is_dir():
        raise MissingError(f'{folder} is not there: no x86 CPU, or a virtual machine')
    found: list[Path] = []
    for control in ('intel-rapl', 'intel-rapl-mmio'):
        found = found or sorted(folder.glob(f'{control}:*'))
    zones = [_Zone(word(f / 'name'), f, _range_uj(f)) for f in found]
    packages = [z for z in zones if z.name.startswith('package')]
    whole = [z for z in zones if z.name == 'psys'][:1]
    # A machine without such memory counters may show one that stays 0.
    memory = [z for z in zones if z.name == 'dram' and _energy_uj(z) > 0.0]
    chosen = [*_own(packages), *memory] if packages else whole
    if not chosen:
        raise MissingError(f'{folder} has no counter of a package')
    numbered = [z for z in memory if len(memory) > 1]
    return [
        z._replace(name=f'{z.name}-{numbered.index(z)}') if z in numbered else z for z in chosen
    ]


def _range_uj(folder: Path) -> float:
    path = folder / 'max_energy_range_uj'
    return number(path) if path.exists() else 0.0


def _own(packages: list[_Zone]) -> list[_Zone]:
    """Leave out dies that show the one counter of their package once more."""
    kept: list[tuple[str, float]] = []
    out = []
    for zone in packages:
        package, energy_uj = re.sub('-die-.*', '', zone.name), _energy_uj(zone)
        twin = any(p == package and abs(e - energy_uj) < _MIRROR_UJ for p, e in kept)
        if not twin:
            kept.append((package, energy_uj))
            out.append(zone)
    return out


def _energy_uj(zone: _Zone) -> float:
    path = zone.folder / 'energy_uj'
    try:
        value = number(path)
    except MissingError as err:
        if isinstance(err.__cause__, PermissionError):
            raise MissingError(f'{path}: {ALLOW}', path=str(path)) from err
        raise
    if value < 0.0:
        raise InputError(f'{path} holds {value:.0f}, a negative energy')
    return value


def _moved_uj(zone: _Zone, before: float, now: float, gap_s: float) -> float:
    """Return how far a counter moved [uJ], over the end of its range if need be."""
    if 0.0 < zone.range_uj < 1e6 * WRAP_W * gap_s:
        raise InputError(f'{zone.name} was not read for {gap_s:.3g} s and may have wrapped unseen')
    if now >= before:
        return now - before
    if before > zone.range_uj:
        raise InputError(f'{zone.name} went back from {before:.0f} to {now:.0f} uJ')
    return now - before + zone.range_uj
