"""These tests need ROS; without it they are left out, unless it is required."""

import importlib.util
import os
import warnings

collect_ignore_glob: list[str] = []

if importlib.util.find_spec('rclpy') or os.environ.get('SELECTOR_REQUIRE_ROS'):
    with warnings.catch_warnings():
        # rclpy imports it with the first node, and it imports a deprecated module.
        warnings.simplefilter('ignore', DeprecationWarning)
        import lark  # noqa: F401
else:
    collect_ignore_glob.append('*.py')
