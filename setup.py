"""Metadata of the ROS package; here and not in pyproject.toml, which setuptools < 61 ignores."""

from glob import glob
from pathlib import Path

from setuptools import find_packages
from setuptools import setup

NAME = 'model_selector'
SHARE = f'share/{NAME}'


def files(*patterns: str) -> list[str]:
    """Return the data files that exist; sources and caches beside them are no data."""
    found = sorted({path for pattern in patterns for path in glob(pattern)})
    return [path for path in found if Path(path).is_file() and not path.endswith('.py')]


def folder(target: str, *patterns: str) -> list[tuple[str, list[str]]]:
    """Return the data_files entry of one folder, or nothing when it would be empty."""
    found = files(*patterns)
    return [(f'{SHARE}/{target}'.rstrip('/'), found)] if found else []


def models() -> list[tuple[str, list[str]]]:
    """Return one entry a model folder, so that weights stay beside their card."""
    names = [Path(card).parent.name for card in files('models/*/card.yaml')]
    entries = [entry for name in names for entry in folder(f'models/{name}', f'models/{name}/*')]
    return entries + folder('models', 'models/*.json')


setup(
    name=NAME,
    version='0.1.0',
    description='Decides for every frame whether a slower, better model is worth its price.',
    maintainer='model_selector developers',
    maintainer_email='model-selector@example.com',
    license='Apache-2.0',
    python_requires='>=3.10',
    # Not `selector*`, which would take in the message package of the same prefix.
    packages=find_packages(include=['selector', 'selector.*']),
    package_data={'selector': ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        *folder('', 'package.xml'),
        # Only *.launch.py: pip byte-compiles the folder, and its cache must stay behind.
        *[(f'{SHARE}/launch', sorted(glob('launch/*.launch.py')))],
        *folder('config', 'config/*.yaml', 'config/*.xml'),
        *models(),
        *folder('bags/patrol', 'bags/patrol/*'),
    ],
    install_requires=[
        'numpy',
        'msgspec>=0.19',
        'pydantic>=2.10,<3',
        'PyYAML',
        'click>=8.1',
        'onnxruntime',
        'Pillow',
    ],
    extras_require={
        'data': ['rosbags>=0.10', 'mcap'],
        'fit': ['scikit-learn'],
        'train': ['torch', 'onnx', 'onnxscript'],
        'torch': ['torch'],
        'vision': ['torch', 'torchvision'],
        'energy': ['nvidia-ml-py'],
        'export': ['torch', 'torchvision', 'onnx', 'onnxscript'],
        # Offline routers and online libraries that benchmarks/tradeoff.py compares with.
        'bench': ['scikit-learn', 'river', 'mabwiser', 'vowpalwabbit'],
        # `colcon test` runs pytest only where this extra names it.
        'test': ['pytest', 'hypothesis'],
    },
    zip_safe=True,
    entry_points={
        'console_scripts': [
            'selector = selector.tools.cli:main',
            'selector_node = selector.ros.node:main',
            'selector_player = selector.ros.player:main',
        ],
    },
)
