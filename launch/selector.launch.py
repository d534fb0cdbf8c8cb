"""Start the selector on a robot: one node that answers every image."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def arguments() -> list[DeclareLaunchArgument]:
    """Return what the launch file takes."""
    default_params = PathJoinSubstitution(
        [FindPackageShare('model_selector'), 'config', 'selector.yaml']
    )
    return [
        DeclareLaunchArgument(
            'namespace', default_value='', description='Namespace of the camera.'
        ),
        DeclareLaunchArgument(
            'node_name', default_value='selector', description='Name of the node.'
        ),
        DeclareLaunchArgument(
            'params_file', default_value=default_params, description='YAML with parameters.'
        ),
        DeclareLaunchArgument(
            'input_image_topic',
            default_value='image_raw',
            description='Images; compressed ones are expected at <topic>/compressed.',
        ),
        DeclareLaunchArgument(
            'use_sim_time',
            default_value='false',
            description='Take the time from /clock, as in a replay.',
            choices=['true', 'false'],
        ),
        DeclareLaunchArgument(
            'autostart',
            default_value='true',
            description='Configure and activate at once; false leaves that to a manager.',
            choices=['true', 'false'],
        ),
        DeclareLaunchArgument(
            'log_level',
            default_value='info',
            description='Least severity that is logged.',
            choices=['debug', 'info', 'warn', 'error', 'fatal'],
        ),
    ]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the node."""
    image_topic = LaunchConfiguration('input_image_topic')
    return LaunchDescription(
        [
            *arguments(),
            Node(
                package='model_selector',
                executable='selector_node',
                name=LaunchConfiguration('node_name'),
                namespace=LaunchConfiguration('namespace'),
                output='screen',
                parameters=[
                    LaunchConfiguration('params_file'),
                    {
                        'use_sim_time': ParameterValue(
                            LaunchConfiguration('use_sim_time'), value_type=bool
                        ),
                        'autostart': ParameterValue(
                            LaunchConfiguration('autostart'), value_type=bool
                        ),
                    },
                ],
                remappings=[
                    ('image_raw', image_topic),
                    ('image_raw/compressed', [image_topic, '/compressed']),
                ],
                ros_arguments=['--log-level', LaunchConfiguration('log_level')],
            ),
        ]
    )
