"""Report: what the verbs print."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import json
from pathlib import Path
import sys

import click
import numpy as np
from selector.audit import Flaw
from selector.audit import Header
from selector.audit import records
from selector.audit import segments
from selector.bag import Bag
from selector.bag import Loss
from selector.build import FAST
from selector.build import file_digest
from selector.build import model_digest
from selector.build import Plan
from selector.build import plan
from selector.build import SLOW
from selector.cards.card import checked_file
from selector.cards.card import read_card
from selector.config import Config
from selector.correlation_file import write_correlation
from selector.decision import Reason
from selector.errors import LogError
from selector.errors import ModelError
from selector.fitted_gain import ALL_CONTEXTS
from selector.installed import models_folder
from selector.justification import explain
from selector.justification import Justification
from selector.redecision import Verdict
from selector.redecision import verify
from selector.table import read_table
from selector.tools.fit import fit
from selector.tools.profile import Profile
from selector.tools.profile import profile_bag
from selector.tools.replay import replay
from selector.tools.tradeoff import advantage
from selector.tools.tradeoff import render
from selector.tools.tradeoff import rows
import yaml


def replay_report(
    source: Path, config: Config, topic: str, out: Path, *, as_json: bool, quiet: bool
) -> int:
    """Replay a bag or table into `out` and print what the decisions were worth."""
    made = plan(config)
    profile, loss = _profile(source, made, topic, quiet)
    done = replay(profile.table, made, out)
    verdict = verify(out)
    table = rows(profile, made, done.invoked, done.answer)
    if as_json:
        result = {
            'frames': len(done.answer),
            'decisions': verdict.decisions,
            'unanswered': done.unanswered,
            'reused': int(done.reused.sum()),
            'verified': verdict.sound,
            'log': done.head._asdict(),
            'folder': str(out),
            'loss': loss and loss._asdict(),
            'rows': [row._asdict() for row in table],
        }
        click.echo(json.dumps(result))
    else:
        click.echo(render(table, made.cards[SLOW].energy_j.kind))
        if words := advantage(profile, done.invoked, done.answer):
            click.echo(words)
        click.echo(worth_explaining(out))
        click.echo(f'files: {out}')
        click.echo(closing_line('replay', len(done.answer), done.unanswered, verdict))
    if loss is not None:
        click.echo(loss_text(loss), err=True)
    return 0 if verdict.sound and not done.unanswered and loss is None else 1


def _profile(source: Path, made: Plan, topic: str, quiet: bool) -> tuple[Profile, Loss | None]:
    if source.suffix == '.npz':
        table = read_table(source)
        times = [np.full(len(table.stamp_ns), _p50(made, tier)) for tier in (FAST, SLOW)]
        return Profile(table, times[0], times[1]), None
    bag = Bag(source)
    profile = profile_bag(bag, made, topic, progress(quiet, 'frames profiled'))
    if not quiet and sys.stderr.isatty():
        click.echo('', err=True)
    return profile, bag.loss


def _p50(made: Plan, tier: str) -> float:
    value = made.cards[tier].latency_p50_s.value
    return float('nan') if value is None else value


def progress(quiet: bool, what: str) -> Callable[[int], None]:
    """Return a callback that keeps one line of stderr up to date; silent when not a terminal."""
    shown = not quiet and sys.stderr.isatty()

    def show(done: int) -> None:
        if shown and done % 20 == 0:
            click.echo(f'\r{done} {what}', err=True, nl=False)

    return show


def loss_text(loss: Loss) -> str:
    """Return where a bag ended early, as a sentence."""
    return (
        f'selector: {loss.file} is damaged after {loss.messages} messages, at byte '
        f'{loss.offset_bytes}: {loss.why}; what was readable was replayed'
    )


def closing_line(verb: str, frames: int, unanswered: int, verdict: Verdict) -> str:
    """Return the last line of a run."""
    state = 'log verified' if verdict.sound else f'log NOT verified: {verdict_text(verdict)}'
    return (
        f'{verb}: {frames} frames, {verdict.decisions} decisions, {unanswered} unanswered, {state}'
    )


def verdict_text(verdict: Verdict) -> str:
    """Return what verification found, in words."""
    if verdict.flaw is not None:
        return f'{verdict.flaw.where}: {verdict.flaw.what}'
    return f'{verdict.decisions} decisions and {verdict.outcomes} outcomes verified'


def verify_report(log: Path, as_json: bool) -> int:
    """Verify a log and print the finding; 1 when it is not sound."""
    verdict = verify(log)
    if as_json:
        flaw = verdict.flaw and verdict.flaw._asdict()
        head = verdict.head and verdict.head._asdict()
        click.echo(
            json.dumps({**verdict._asdict(), 'flaw': flaw, 'head': head, 'sound': verdict.sound})
        )
        return 0 if verdict.sound else 1
    click.echo(f'verify: {"sound" if verdict.sound else "NOT SOUND"}: {verdict_text(verdict)}')
    if verdict.sound:
        click.echo(
            'checked: hash chain, closing record, every decision taken again from the log alone.\n'
            'not checked: signatures; this log has none, so a tail recomputed by somebody who can '
            'write the whole folder would not show.'
        )
    return 0 if verdict.sound else 1


def decisions(log: Path) -> Iterator[tuple[Header, Justification]]:
    """Yield a log's decisions, up to its first flaw, each with the log's header."""
    header: Header | None = None
    for found in records(segments(log)):
        if isinstance(found, Flaw):
            return
        if isinstance(found.body, Header):
            header = found.body
        elif isinstance(found.body, Justification) and header is not None:
            yield header, found.body


def explain_report(log: Path, frame: int, as_json: bool) -> int:
    """Print one decision as a sentence, or its whole record as JSON."""
    start_ns, last = None, -1
    for header, record in decisions(log):
        start_ns = record.offer.stamp_ns if start_ns is None else start_ns
        last = record.offer.sequence
        if last == frame:
            names = tuple(r.name for r in header.settings.resources)
            text = explain(record, names, start_ns)
            click.echo(json.dumps({'frame': frame, 'sentence': text}) if as_json else text)
            return 0
    raise LogError(f'no decision about frame {frame} in {log}; frames 0 to {last} are there')


def worth_explaining(log: Path) -> str:
    """Return one decision of a log in words: the invocation with the largest margin, else any."""
    best, start_ns = None, None
    for header, record in decisions(log):
        start_ns = record.offer.stamp_ns if start_ns is None else start_ns
        rank = (record.decision.reason is Reason.GAIN_ABOVE_PRICE, record.decision.margin)
        if best is None or rank > best[0]:
            names = tuple(r.name for r in header.settings.resources)
            best = (rank, record, names)
    return 'no decision' if best is None else explain(best[1], best[2], start_ns)


def fit_report(table: Path, config: Config, out: Path, date: str, as_json: bool) -> int:
    """Fit a correlation from a table, write it and print its summary."""
    folder = models_folder(config)
    models = {
        FAST: model_digest(read_card(folder / config.models.fast)),
        SLOW: model_digest(read_card(folder / config.models.slow)),
    }
    tree = fit(read_table(table), models, date, file_digest(table))
    sealed = write_correlation(out, tree)
    contexts = tree['pairs'][SLOW]
    if as_json:
        told = {name: {**c['summary'], 'khat': c['khat']} for name, c in contexts.items()}
        click.echo(json.dumps({'file': str(out), 'sha256': sealed, 'contexts': told}))
        return 0
    click.echo(f'{"context":14}{"pairs":>7}{"fast":>8}{"slow":>8}{"rho":>8}{"khat":>8}{"+-":>7}')
    for name, c in contexts.items():
        s = c['summary']
        click.echo(
            f'{name:14}{s["pairs"]:>7}{1 - s["mean_fast"]:>8.3f}{1 - s["mean_slow"]:>8.3f}'
            f'{s["rho"]:>8.3f}{c["khat"]:>8.3f}{c["khat_width"]:>7.3f}'
        )
    for name, why in tree['skipped_contexts'].items():
        click.echo(f'{name}: no tables of its own, {why}; {ALL_CONTEXTS} is used', err=True)
    click.echo(f'fit: {tree["source"]["labelled"]} labelled frames, written to {out}')
    return 0


def models_report(config: Config, as_json: bool) -> int:
    """List the models folder; 1 when a file is not the one its card names."""
    folder = models_folder(config)
    cards = sorted(folder.glob('*/card.yaml'))
    if not cards:
        raise ModelError(f'no models in {folder}: it holds no */card.yaml', path=str(folder))
    found, bad = [], 0
    for path in cards:
        try:
            card = read_card(path.parent)
            if card.file is not None:
                checked_file(card, path.parent)
            state = 'ok' if card.file is not None else f'ok, no file: runtime {card.runtime}'
            found.append({'name': card.name, 'task': card.task, 'state': state})
        except ModelError as err:
            bad += 1
            found.append({'name': path.parent.name, 'task': '', 'state': str(err)})
    if as_json:
        click.echo(json.dumps(found))
    for row in () if as_json else found:
        click.echo(f'{row["name"]:28}{row["task"]:16}{row["state"]}')
    return 1 if bad else 0


def model_card(config: Config, name: str) -> str:
    """Return a model's checked card as YAML."""
    folder = models_folder(config)
    card = read_card(folder / name)
    if card.file is not None:
        checked_file(card, folder / name)
    told = card.model_dump(mode='json', exclude_unset=True)
    return yaml.safe_dump(told, sort_keys=False).rstrip()
