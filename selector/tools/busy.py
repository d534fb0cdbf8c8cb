"""Busy: a load that we start ourselves, so that we can say what it is."""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType

# It ends by itself when we die without ending it.
_BUSY = (
    'import os, sys\n'
    'print(flush=True)\n'
    'while os.getppid() == int(sys.argv[1]):\n'
    '    for _ in range(1000000): pass\n'
)


def cores() -> int:
    """Return how many cores this process may use."""
    return (
        len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    )


class Busy:
    """Processes that compute without pause while the `with` block lasts."""

    def __init__(self, processes: int) -> None:
        """Be ready to start so many."""
        self._count = processes
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Busy:
        """Start them; return when all of them run."""
        command = [sys.executable, '-c', _BUSY, str(os.getpid())]
        for _ in range(self._count):
            self._processes.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        for process in self._processes:
            if process.stdout is not None:
                process.stdout.read(1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End them."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.communicate()
