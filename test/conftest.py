"""Every test gets a ROS domain of its own, and no test opens a socket."""

from collections.abc import Iterator
import itertools
import os
from pathlib import Path
from typing import Any
import zlib

import pytest

REPO = Path(__file__).resolve().parents[1]
WORKERS, DOMAINS = 8, 28  # 8 x 28 ids fit into the 1..232 that DDS allows
_WORKER = int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw')) % WORKERS
# Two runs at a time are unlikely to use the same ids at the same moment.
_RUN = zlib.crc32(os.environ.get('PYTEST_XDIST_TESTRUNUID', str(os.getpid())).encode())
_NUMBERS = itertools.count(_RUN)


def _assign_domain() -> None:
    """Give what starts now a domain of its own, in this process and in those it starts.

    Assigned, not defaulted: a worker inherits the environment of the process that started it.
    """
    os.environ['ROS_DOMAIN_ID'] = str(1 + _WORKER * DOMAINS + next(_NUMBERS) % DOMAINS)


_assign_domain()
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'SYSTEM_DEFAULT'
for _variable in ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'):
    os.environ[_variable] = str(REPO / 'config' / 'fastdds_shm.xml')


@pytest.fixture(scope='session', autouse=True)
def _ros_log_dir(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep ROS logs out of the home folder, which may not exist."""
    os.environ['ROS_LOG_DIR'] = str(tmp_path_factory.mktemp('ros_log'))


@pytest.fixture(autouse=True)
def _domain() -> None:
    """Keep a test out of the graph that an earlier one, or a node it killed, left behind."""
    _assign_domain()


@pytest.fixture
def ros(_domain: None) -> Iterator[Any]:
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
