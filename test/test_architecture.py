"""The rules of the house, checked by machine: layers, sizes, style and types."""

import ast
import io
from pathlib import Path
import shutil
import subprocess
import sys
import sysconfig
import tokenize

import pytest

REPO = Path(__file__).resolve().parents[1]
MODULES = sorted((REPO / 'selector').rglob('*.py'))
MODULE_LINES = 250
FUNCTION_LINES = 40
_NO_CODE = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
    }
)
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def tool(name: str) -> str:
    """Return the path of a tool of this environment, or of the PATH."""
    found = shutil.which(name, path=sysconfig.get_path('scripts')) or shutil.which(name)
    assert found, f'{name} is not installed: make setup'
    return found


def passes(*command: str) -> None:
    """Run a check; on failure its output is the message."""
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f'{Path(command[0]).name}:\n{done.stdout}{done.stderr}'


def docstring_lines(tree: ast.Module) -> set[int]:
    """Return the numbers of the lines that docstrings occupy."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            lines.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return lines


def code_lines(source: str) -> set[int]:
    """Return the numbers of the lines with code: no blank ones, comments or docstrings."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - docstring_lines(ast.parse(source))


@pytest.mark.linter
def test_layers() -> None:
    """Every module is placed, imports only downwards, and the core stays pure."""
    passes(tool('lint-imports'), '--no-cache')


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(REPO)))
def test_module_size(path: Path) -> None:
    """A module has at most 250 lines of code and its functions at most 40."""
    source = path.read_text(encoding='utf-8')
    code = code_lines(source)
    assert len(code) <= MODULE_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = len(code.intersection(range(node.lineno, (node.end_lineno or 0) + 1)))
            assert size <= FUNCTION_LINES, f'{node.name} has {size} lines of code'


def test_sizes_are_counted_right() -> None:
    """Blank lines, comments and docstrings do not count; every other line does."""
    source = (
        '"""Doc\n\nmore."""\n\n# why\nX = (\n    1,\n)\n\n\ndef f():\n    """Doc."""\n    pass\n'
    )
    assert code_lines(source) == {6, 7, 8, 11, 13}


@pytest.mark.linter
def test_style() -> None:
    """Ruff has nothing to say."""
    passes(tool('ruff'), 'check', '--no-cache', '.')


@pytest.mark.linter
def test_format() -> None:
    """The code is formatted."""
    passes(tool('ruff'), 'format', '--no-cache', '--check', '.')


@pytest.mark.linter
@pytest.mark.slow
def test_types() -> None:
    """Mypy finds nothing in strict mode."""
    passes(sys.executable, '-m', 'mypy', '--strict', 'selector')
