"""NVML: the energy counter of one NVIDIA GPU, else the integral of its power."""

from __future__ import annotations

import importlib
from typing import Any

from selector.errors import MissingError
from selector.meters.energy import Count
from selector.meters.energy import PowerIntegral
from selector.meters.energy import Reading
from selector.meters.figure import Kind

_COUNTER_PERIOD_S = 0.1
_POWER_PERIOD_S = 1.0  # Ampere and later give the mean of the last second
_GAP_MAX_S = 5.0


def load() -> Any:
    """Return the NVML bindings, started.

    Raises:
        MissingError: the package, the driver's library or the driver is not there.
    """
    try:
        nvml = importlib.import_module('pynvml')
    except ImportError as err:
        raise MissingError('nvidia-ml-py is not installed: pip install nvidia-ml-py') from err
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as err:
        raise MissingError(f'NVML: {err}; no NVIDIA driver here') from err
    return nvml


def gpus(nvml: Any) -> int:
    """Return how many GPUs there are.

    Raises:
        MissingError: NVML cannot tell.
    """
    try:
        return int(nvml.nvmlDeviceGetCount())
    except nvml.NVMLError as err:
        raise MissingError(f'NVML: {err}') from err


class Nvml:
    """One GPU with its memory and board. Older ones than Volta have no counter: sampled power."""

    kind: Kind = 'measured'

    def __init__(self, nvml: Any, index: int = 0) -> None:
        """Use GPU `index` of the started bindings `nvml`.

        Raises:
            MissingError: there is no such GPU, or it tells neither energy nor power.
        """
        self._nvml = nvml
        self.name = f'nvml-{index}'
        try:
            self._handle = nvml.nvmlDeviceGetHandleByIndex(index)
            model = str(nvml.nvmlDeviceGetName(self._handle))
        except nvml.NVMLError as err:
            raise MissingError(f'NVML has no GPU {index}: {err}') from err
        self.parts: tuple[str, ...] = (self.name,)
        self._counts = self._has_counter()
        what = 'energy counter' if self._counts else 'power, sampled,'
        self.source = f'NVML {what} of GPU {index} ({model}): its board, not the CPU'
        self.period_s = _COUNTER_PERIOD_S if self._counts else _POWER_PERIOD_S
        self._count, self._integral = Count(), PowerIntegral(_GAP_MAX_S)
        self._last_mj: int | None = None

    def _has_counter(self) -> bool:
        try:
            self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        except self._nvml.NVMLError:
            try:
                self._nvml.nvmlDeviceGetPowerUsage(self._handle)
            except self._nvml.NVMLError as err:
                raise MissingError(f'{self.name} tells neither energy nor power: {err}') from err
            return False
        return True

    def read(self, stamp_s: float) -> Reading:
        """Return the reading at `stamp_s` [s], the time now."""
        before_mj, self._last_mj = self._last_mj, None
        try:
            if not self._counts:
                milliwatts = self._nvml.nvmlDeviceGetPowerUsage(self._handle)
                return self._integral.sample(stamp_s, 1e-3 * milliwatts)
            now_mj = int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        except self._nvml.NVMLError as err:
            broken = self._count if self._counts else self._integral
            return broken.broken(stamp_s, f'NVML: {err}')
        self._last_mj = now_mj
        last_mj = now_mj if before_mj is None else before_mj
        if now_mj < last_mj:
            return self._count.broken(stamp_s, 'the counter went back: the driver was reloaded')
        return self._count.add(stamp_s, (1e-3 * (now_mj - last_mj),))
