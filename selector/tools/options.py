"""Options: what the verbs have in common."""

from __future__ import annotations

from collections.abc import Callable
import functools
import os
from pathlib import Path
import sys
from typing import Any

import click
from selector.errors import SelectorError

CONFIG = click.option(
    '--config', 'config_file', type=click.Path(path_type=Path), help='Parameter file (YAML).'
)
SET = click.option(
    '--set', 'settings', multiple=True, metavar='KEY=VALUE', help='One parameter; repeatable.'
)
JSON = click.option('--json', 'as_json', is_flag=True, help='Machine-readable result.')
QUIET = click.option('-q', '--quiet', is_flag=True, help='No progress.')


def told(verb: Callable[..., int]) -> Callable[..., None]:
    """Turn a verb's errors into one sentence and its result into the exit code."""

    @functools.wraps(verb)
    def wrapped(*arguments: Any, **options: Any) -> None:
        try:
            code = verb(*arguments, **options)
        except SelectorError as err:
            click.echo(f'selector: {err}', err=True)
            code = err.exit_code
        except BrokenPipeError:  # who reads, as in `| head`, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except OSError as err:
            click.echo(f'selector: {err.filename or ""}: {err.strerror}', err=True)
            code = 2
        except KeyboardInterrupt:
            code = 130
        sys.exit(code)

    return wrapped
