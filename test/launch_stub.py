"""Just enough of launch and launch_ros to evaluate our launch files where ROS has none.

The words and their meaning are those of the real packages; the result of evaluating a description
is the list of command lines that it would start.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
import importlib.util
from pathlib import Path
import sys
from types import ModuleType
from typing import Any
from typing import NamedTuple

import pytest


def real_launch() -> bool:
    """Tell whether ROS's own launch is here; our folder `launch/` passes for a package as well."""
    try:
        return importlib.util.find_spec('launch.actions') is not None
    except ModuleNotFoundError:
        return False


class Scene:
    """What evaluation depends on: where packages are, and the values of the arguments."""

    def __init__(self, shares: Mapping[str, Path], arguments: Mapping[str, str]) -> None:
        self.shares = shares
        self.values = dict(arguments)
        self.declared: set[str] = set()
        self.commands: list[Command] = []


class Command(NamedTuple):
    """One process: its executable and everything after it."""

    package: str
    executable: str
    argv: list[str]


class Substitution:
    """A text that is known only when the launch file is evaluated."""

    def text(self, scene: Scene) -> str:
        """Return the text."""
        raise NotImplementedError


def text(value: Any, scene: Scene) -> str:
    """Return a text, a substitution, or a list of both as one text."""
    if isinstance(value, Substitution):
        return value.text(scene)
    if isinstance(value, str):
        return value
    return ''.join(text(part, scene) for part in value)


class LaunchConfiguration(Substitution):
    """The value of an argument; it must have been declared or given."""

    def __init__(self, name: str) -> None:
        self.name = name

    def text(self, scene: Scene) -> str:
        """Return the value."""
        return scene.values[self.name]


class PathJoinSubstitution(Substitution):
    """A path out of parts."""

    def __init__(self, parts: Iterable[Any]) -> None:
        self.parts = tuple(parts)

    def text(self, scene: Scene) -> str:
        """Return the path."""
        return str(Path(*(text(part, scene) for part in self.parts)))


class FindPackageShare(Substitution):
    """The share folder of a package."""

    def __init__(self, package: str) -> None:
        self.package = package

    def text(self, scene: Scene) -> str:
        """Return the folder."""
        return str(scene.shares[self.package])


class ParameterValue:
    """A parameter with a type; only bool, as our files use it."""

    def __init__(self, value: Any, *, value_type: type) -> None:
        assert value_type is bool
        self.value = value

    def yaml(self, scene: Scene) -> str:
        """Return the value as YAML, and refuse what is no bool."""
        value = text(self.value, scene).lower()
        assert value in ('true', 'false'), f'{value!r} is no bool'
        return value


class DeclareLaunchArgument:
    """An argument and its default; a choice outside the list is refused, as launch does."""

    def __init__(
        self,
        name: str,
        *,
        default_value: Any = None,
        description: str = '',
        choices: list[str] | None = None,
    ) -> None:
        assert description, f'argument {name} has no description'
        self.name, self.default_value, self.choices = name, default_value, choices

    def visit(self, scene: Scene) -> None:
        """Settle the value."""
        scene.declared.add(self.name)
        if self.name not in scene.values:
            scene.values[self.name] = text(self.default_value, scene)
        if self.choices is not None and scene.values[self.name] not in self.choices:
            raise ValueError(f'{self.name}:={scene.values[self.name]}; one of {self.choices}')


class Shutdown:
    """Ends everything; nothing to evaluate."""

    def __init__(self, *, reason: str) -> None:
        self.reason = reason


class PythonLaunchDescriptionSource:
    """A launch file by path."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)


class IncludeLaunchDescription:
    """Another launch file, in the same scene."""

    def __init__(
        self,
        source: PythonLaunchDescriptionSource,
        *,
        launch_arguments: Iterable[tuple[str, Any]] = (),
    ) -> None:
        self.source, self.launch_arguments = source, tuple(launch_arguments)

    def visit(self, scene: Scene) -> None:
        """Set the arguments, then evaluate the file."""
        scene.values.update({name: text(value, scene) for name, value in self.launch_arguments})
        _visit(_load(self.source.path), scene)


class Node:
    """A ROS node as a process."""

    def __init__(
        self,
        *,
        package: str,
        executable: str,
        name: Any = None,
        namespace: Any = None,
        output: str = 'log',
        **details: Any,
    ) -> None:
        known = {'parameters', 'remappings', 'ros_arguments', 'arguments', 'on_exit'}
        assert set(details) <= known, f'the stand-in does not know {set(details) - known}'
        assert output == 'screen'
        self.package, self.executable, self.details = package, executable, details
        self.name, self.namespace = name, namespace

    def visit(self, scene: Scene) -> None:
        """Add the command line, in the order of launch_ros."""
        details = self.details
        argv = [text(part, scene) for part in details.get('arguments', ())]
        argv.append('--ros-args')
        argv += [text(part, scene) for part in details.get('ros_arguments', ())]
        if self.name is not None:
            argv += ['-r', f'__node:={text(self.name, scene)}']
        namespace = text(self.namespace or '', scene)
        if namespace:
            argv += ['-r', f'__ns:=/{namespace.lstrip("/")}']
        for source in details.get('parameters', ()):
            argv += self._parameters(source, scene)
        for before, after in details.get('remappings', ()):
            argv += ['-r', f'{text(before, scene)}:={text(after, scene)}']
        scene.commands.append(Command(self.package, self.executable, argv))

    @staticmethod
    def _parameters(source: Any, scene: Scene) -> list[str]:
        if not isinstance(source, dict):
            return ['--params-file', text(source, scene)]
        return [word for k, v in source.items() for word in ('-p', f'{k}:={v.yaml(scene)}')]


class LaunchDescription:
    """The list that a launch file returns."""

    def __init__(self, entities: Iterable[Any]) -> None:
        self.entities = list(entities)


_WORDS: dict[str, tuple[Any, ...]] = {
    'launch': (LaunchDescription,),
    'launch.actions': (DeclareLaunchArgument, IncludeLaunchDescription, Shutdown),
    'launch.launch_description_sources': (PythonLaunchDescriptionSource,),
    'launch.substitutions': (LaunchConfiguration, PathJoinSubstitution),
    'launch_ros': (),
    'launch_ros.actions': (Node,),
    'launch_ros.parameter_descriptions': (ParameterValue,),
    'launch_ros.substitutions': (FindPackageShare,),
}


def _load(path: Path) -> LaunchDescription:
    """Return the description in a launch file, whose name is no module name."""
    spec = importlib.util.spec_from_file_location(path.name.replace('.', '_'), path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    description: LaunchDescription = module.generate_launch_description()
    return description


def _visit(description: LaunchDescription, scene: Scene) -> None:
    for entity in description.entities:
        entity.visit(scene)


def evaluate(path: Path, shares: Mapping[str, Path], **arguments: str) -> list[Command]:
    """Return the command lines of a launch file; an argument that nothing declares is refused."""
    scene = Scene(shares, arguments)
    with pytest.MonkeyPatch.context() as patch:
        for name, words in _WORDS.items():
            module = ModuleType(name)
            module.__dict__.update({word.__name__: word for word in words})
            patch.setitem(sys.modules, name, module)
        _visit(_load(path), scene)
    unknown = set(arguments) - scene.declared
    assert not unknown, f'no launch file declares {sorted(unknown)}'
    return scene.commands
