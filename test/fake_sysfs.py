"""A small `sys/` tree as the kernel shows it, for meters that take a root path."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import os
from pathlib import Path

RANGE_UJ = 262_143_328_850


def write(root: Path, files: Mapping[str, object]) -> None:
    """Write files below `root`, by path; no reader ever finds one half written."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f'{path.name}.new')
        new.write_text(f'{content}\n')
        new.replace(path)


def zones(root: Path, counters: Mapping[str, tuple[str, int]], range_uj: int = RANGE_UJ) -> None:
    """Write powercap zones: folder -> (name, counter [uJ])."""
    for folder, (name, energy_uj) in counters.items():
        base = f'sys/class/powercap/{folder}'
        write(
            root,
            {
                f'{base}/name': name,
                f'{base}/energy_uj': energy_uj,
                f'{base}/max_energy_range_uj': range_uj,
            },
        )


def rails(
    root: Path, chip: str, channels: Mapping[int, tuple[str, int, int]], name: str = 'ina3221'
) -> None:
    """Write one chip's rails below the folder `chip`: number -> (label, mV, mA)."""
    write(root, {f'{chip}/name': name, f'{chip}/update_interval': 110})
    for k, (label, millivolts, milliamperes) in channels.items():
        write(
            root,
            {
                f'{chip}/in{k}_label': label,
                f'{chip}/in{k}_enable': 1,
                f'{chip}/in{k}_input': millivolts,
                f'{chip}/curr{k}_input': milliamperes,
            },
        )


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Give up being root for a while, to whom every file is readable."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
