"""Replay a bag through the selector in the bag's own time; takes its arguments too."""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.actions import IncludeLaunchDescription
from launch.actions import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

SELECTOR = str(Path(__file__).with_name('selector.launch.py'))


def generate_launch_description() -> LaunchDescription:
    """Return the player and the selector; everything ends with the bag."""
    share = FindPackageShare('model_selector')
    default_params = PathJoinSubstitution([share, 'config', 'replay.yaml'])
    default_bag = PathJoinSubstitution([share, 'bags', 'patrol'])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'bag', default_value=default_bag, description='Folder of the bag.'
            ),
            DeclareLaunchArgument(
                'rate', default_value='1.0', description='Speed; 1.0 is as recorded.'
            ),
            # Before the other file declares it with the default of a robot.
            DeclareLaunchArgument(
                'params_file', default_value=default_params, description='YAML with parameters.'
            ),
            # First, because it declares the namespace and the name that the player needs.
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(SELECTOR),
                launch_arguments={'use_sim_time': 'true'}.items(),
            ),
            Node(
                package='model_selector',
                executable='selector_player',
                namespace=LaunchConfiguration('namespace'),
                output='screen',
                arguments=[
                    LaunchConfiguration('bag'),
                    '--rate',
                    LaunchConfiguration('rate'),
                    '--answers',
                    [LaunchConfiguration('node_name'), '/prediction'],
                ],
                on_exit=Shutdown(reason='the bag is over'),
            ),
        ]
    )
