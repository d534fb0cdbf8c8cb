"""NVML: our side of it, against scripted bindings. No GPU was read by these tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path
import sys
from typing import Any

import pytest
from selector.errors import MissingError
from selector.meters.energy import spent
from selector.meters.nvml import gpus
from selector.meters.nvml import load
from selector.meters.nvml import Nvml


class NVMLError(Exception):
    """As the bindings have it."""


class Bindings:
    """Stands for the bindings: GPUs by number, each with what it can tell."""

    NVMLError = NVMLError

    def __init__(self, **told: list[Any]) -> None:
        """Say what each call returns in turn; an exception is raised."""
        self._told = {'count': [1], **told}

    def _next(self, what: str) -> Any:
        answers = self._told.get(what, [NVMLError('Not Supported')])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def nvmlDeviceGetCount(self) -> Any:  # noqa: N802, D102
        return self._next('count')

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:  # noqa: N802, D102
        if index >= self._next('count'):
            raise NVMLError('Invalid Argument')
        return index

    def nvmlDeviceGetName(self, _handle: Any) -> str:  # noqa: N802, D102
        return 'Scripted 1000'

    def nvmlDeviceGetTotalEnergyConsumption(self, _handle: Any) -> Any:  # noqa: N802, D102
        return self._next('energy_mj')

    def nvmlDeviceGetPowerUsage(self, _handle: Any) -> Any:  # noqa: N802, D102
        return self._next('power_mw')


def test_the_counter_is_in_millijoules() -> None:
    """Two readings 2500 mJ apart are 2.5 J, of a board that is named."""
    meter = Nvml(Bindings(energy_mj=[0, 0, 2_500]))
    first = meter.read(0.0)
    found = spent(meter, first, meter.read(1.0))
    assert (found.value, found.kind) == (2.5, 'measured')
    assert 'Scripted 1000' in found.source


def test_without_a_counter_power_is_integrated() -> None:
    """An older GPU: 20 W for a second is 20 J, and the sensor is a slow one."""
    meter = Nvml(Bindings(power_mw=[20_000]))
    assert 'power' in meter.source
    assert meter.period_s == 1.0
    first = meter.read(0.0)
    assert spent(meter, first, meter.read(1.0)).value == pytest.approx(20.0)


def test_a_gpu_that_tells_nothing_is_no_meter() -> None:
    """Neither counter nor power, or no such GPU: said with NVML's words."""
    with pytest.raises(MissingError, match='neither energy nor power: Not Supported'):
        Nvml(Bindings())
    with pytest.raises(MissingError, match='no GPU 3: Invalid Argument'):
        Nvml(Bindings(energy_mj=[0]), 3)
    with pytest.raises(MissingError, match='NVML: lost'):
        gpus(Bindings(count=[NVMLError('lost')]))


def test_a_gpu_that_falls_off_the_bus() -> None:
    """A reading that fails is a fault, and what follows is counted anew."""
    meter = Nvml(Bindings(energy_mj=[0, 1_000, NVMLError('GPU is lost'), 9_000, 9_700]))
    first = meter.read(0.0)
    assert 'GPU is lost' in meter.read(1.0).fault
    back = meter.read(2.0)
    last = meter.read(3.0)
    assert spent(meter, first, last).value is None
    assert spent(meter, back, last).value == pytest.approx(0.7)


def test_a_counter_that_goes_back_is_unknown() -> None:
    """The driver was reloaded in between."""
    meter = Nvml(Bindings(energy_mj=[0, 5_000, 10]))
    meter.read(0.0)
    assert 'went back' in meter.read(1.0).fault


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the package: what to install. With it, but without a driver: that."""
    monkeypatch.setitem(sys.modules, 'pynvml', None)
    with pytest.raises(MissingError, match='pip install nvidia-ml-py'):
        load()
    fake = tmp_path / 'pynvml.py'
    fake.write_text(
        'class NVMLError(Exception):\n    pass\n'
        'def nvmlInit():\n    raise NVMLError("Shared Library Not Found")\n'
    )
    spec = importlib.util.spec_from_file_location('pynvml', fake)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, 'pynvml', module)
    with pytest.raises(MissingError, match='Not Found; no NVIDIA driver here'):
        load()
