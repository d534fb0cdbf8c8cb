"""Every test worker gets a ROS domain of its own, and no test opens a socket."""

from collections.abc import Iterator
import os
from pathlib import Path
from typing import Any
import zlib

import pytest

REPO = Path(__file__).resolve().parents[1]
WORKERS_A_RUN = 16
RUNS = 14  # 14 x 16 ids fit into the 1..232 that DDS allows


def _domain() -> int:
    """Return a domain of this worker that two runs at a time are unlikely to share."""
    run = os.environ.get('PYTEST_XDIST_TESTRUNUID', str(os.getpid()))
    worker = int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))
    return 1 + zlib.crc32(run.encode()) % RUNS * WORKERS_A_RUN + worker % WORKERS_A_RUN


# Assigned, not defaulted: a worker inherits the environment of the process that started it.
os.environ['ROS_DOMAIN_ID'] = str(_domain())
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'SYSTEM_DEFAULT'
for _variable in ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'):
    os.environ[_variable] = str(REPO / 'config' / 'fastdds_shm.xml')


@pytest.fixture(scope='session', autouse=True)
def _ros_log_dir(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep ROS logs out of the home folder, which may not exist."""
    os.environ['ROS_LOG_DIR'] = str(tmp_path_factory.mktemp('ros_log'))


@pytest.fixture
def ros() -> Iterator[Any]:
    """Yield an rclpy context of the test's own; pass it to nodes and executors."""
    try:
        import rclpy
        from rclpy.context import Context
    except ImportError as error:
        # `make test` sets this, so that a broken set-up cannot pass for a machine without ROS.
        if os.environ.get('SELECTOR_REQUIRE_ROS'):
            raise
        pytest.skip(f'rclpy is not here: {error}')
    context = Context()
    rclpy.init(context=context)
    yield context
    rclpy.try_shutdown(context=context)
