"""A training as one page: its curve, what it wrote, and one text read by the model as it was along the way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from lmviz.model.files import MEGABYTE
from lmviz.registry.models import Models
from lmviz.registry.recording import Recording, Request
from lmviz.registry.run import RunModel
from lmviz.stages.stage import READOUT
from lmviz.train.runs import Sample
from lmviz.train.store.run_table import TrainingRun
from lmviz.ui.offline.curve import Points, curve
from lmviz.ui.offline.page import (
    FORBIDDEN,
    LIMIT,
    Page,
    ascii_text,
    check_limit,
    check_size,
    css,
    script,
    small_page,
    write_page,
)
from lmviz.ui.picture_file import KINDS
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import LANGUAGES, Language, Translator, shortened, visible
from lmviz.whole_file import check_place

_MOST_WALKS = 6  # times of the run at which the text is walked through
MOST_SAMPLES, SAMPLES_A_STEP = 8, 3
POINTS = 240  # of a curve
_LIKELIEST = 3  # next tokens that are told of each time
SMALLEST, AROUND = MEGABYTE, 200_000  # bytes of one walk, as `small_page` takes it, and of all that is no walk
LEAST = 2 * MEGABYTE  # bytes of a page
LONGEST = 120  # characters of a text that the model wrote
_OPENING, _PACKED = "<opening>", "<packed>"  # in the text that all walks share; no other text has a bare "<"
_BROWSER = Path(__file__).parent / "browser"
T = TypeVar("T")


@dataclass(frozen=True)
class _Contents:
    """What the page says of a run."""

    run: TrainingRun
    curves: dict[str, Points]
    samples: tuple[Sample, ...]
    prompt: str
    recordings: tuple[tuple[int, Recording], ...]  # by step
    n_stops: int


def training_page(models: Models, run: str, lang: Language, prompt: str | None = None, limit: int = LIMIT) -> Page:
    """A run as one page of HTML, in every language.

    Args:
        prompt: the text of its time travel; default: the first of its card.
        limit: bytes; where they are few, the text is walked through at fewer times.

    Raises:
        UserError: there is no such run, it has no checkpoint yet, or it does not fit into the limit.
    """
    check_limit(limit, LEAST)
    found = models.runs.get(run)
    models.runs.ends(run)
    for n_walks in range(_MOST_WALKS, 0, -1):
        contents = _contents(models, found, prompt, n_walks)
        page = _page(contents, lang, max(SMALLEST, (limit - AROUND) // n_walks))
        if len(page.html) <= limit:
            return page
    check_size(page, limit)
    return page


def save_training_page(
    models: Models, run: str, path: Path, lang: Language, prompt: str | None = None, limit: int = LIMIT
) -> tuple[str, ...]:
    """Write a run's page; returns what is not in it, in sentences."""
    check_place(path)
    page = training_page(models, run, lang, prompt, limit)
    write_page(page, path)
    return page.left_out


def _contents(models: Models, run: TrainingRun, prompt: str | None, n_walks: int) -> _Contents:
    runs = models.runs
    curves: dict[str, Points] = {}
    for metric, name in (("loss", "train"), ("held_out_loss", "held_out")):
        found = runs.series(run.id, metric, POINTS)
        if len(found.steps):
            curves[name] = list(zip(found.steps.tolist(), found.numbers.tolist(), strict=True))
    stops = [stop.step for stop in runs.stops(run.id)]
    text = models.first_prompt(RunModel(run.id, stops[-1])) if prompt is None else prompt
    chosen = [(step, models.record(Request(RunModel(run.id, step), text))) for step in _spread(stops, n_walks)]
    return _Contents(run, curves, _chosen(runs.samples(run.id)), text, tuple(chosen), len(stops))


def _spread(found: Sequence[T], most: int) -> list[T]:
    """Some of a sequence, the first and the last among them, as far apart as can be.

    >>> _spread(range(11), 3), _spread([1, 2], 6), _spread([1, 2], 1)
    ([0, 5, 10], [1, 2], [2])
    """
    if most == 1:
        return list(found[-1:])
    places = np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int)
    return [found[i] for i in places.tolist()]


def _chosen(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """A few texts of a few steps."""
    by_step: dict[int, list[Sample]] = {}
    for one in samples:
        by_step.setdefault(one.step, []).append(one)
    steps = _spread(list(by_step), MOST_SAMPLES) if by_step else []
    return tuple(one for step in steps for one in by_step[step][:SAMPLES_A_STEP])


# -- HTML ------------------------------------------------------------------------------------------------------------


def _page(contents: _Contents, lang: Language, limit: int) -> Page:
    walks: list[dict[str, object]] = []
    left_out: tuple[str, ...] = ()
    frame = ""
    for step, run in contents.recordings:
        made = small_page(run, StepThroughView(lang=lang), limit)
        frame = frame or made.html.replace(made.opening, _OPENING).replace(made.packed, _PACKED)
        walks.append({"step": step, "opening": made.opening, "packed": made.packed})
        left_out = made.left_out
    data = json.dumps({"frame": frame, "walks": walks}).replace("<", "\\u003c")
    sections = "".join(_section(contents, one, one == lang) for one in LANGUAGES)
    tongues = "".join(
        f'<button lang="{one}" aria-pressed="{str(one == lang).lower()}">{one.upper()}</button>' for one in LANGUAGES
    )
    title = ascii_text(contents.run.name)
    html = "\n".join(
        (
            "<!doctype html>",
            f'<html lang="{lang}"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{FORBIDDEN}">',
            f'<title>{title} &#183; lmviz</title><link rel="icon" href="data:,">',
            f"<style>{css((_BROWSER / 'page.css').read_text(encoding='utf-8'))}",
            f"{css((_BROWSER / 'training.css').read_text(encoding='utf-8'))}</style></head><body>",
            f'<header class="page-top"><h1>{title}</h1><div class="tongues" role="group">{tongues}</div></header>',
            f'<main class="training">{sections}{_frame(contents)}</main>',
            f'<script type="application/json" id="walks">{data}</script>',
            f"<script>{script(_BROWSER / 'training.js')}</script>",
            "</body></html>",
            "",
        )
    )
    return Page(html, left_out)


def _frame(contents: _Contents) -> str:
    """The slider, and the frame of the walk that it chooses."""
    last = len(contents.recordings) - 1
    slider = f'<input type="range" id="time" min="0" max="{last}" value="{last}">'
    walk = '<iframe id="walk" sandbox="allow-scripts allow-downloads" title="lmviz"></iframe>'
    return f'<div class="time">{slider}<output id="step"></output></div>{walk}'


def _section(contents: _Contents, lang: Language, is_shown: bool) -> str:
    """What is said in one language."""
    t = Translator(lang)
    step = ascii_text(t("offline.training.step", step="{step}"))
    hidden = "" if is_shown else " hidden"
    return f'<section lang="{lang}" data-step="{step}"{hidden}>{_caption(t, contents)}</section>'


def _caption(t: Translator, contents: _Contents) -> str:
    run, n_walks = contents.run, len(contents.recordings)
    recipe = t("offline.training.say", steps=t.integer(run.step), n=t.integer(run.facts.get("n_parameters", 0)))
    time = t("offline.training.time.say", prompt=visible(contents.prompt), n=n_walks, all=contents.n_stops)
    parts = [
        f"<p>{ascii_text(recipe)}</p>",
        f'<div class="two"><div><h2>{ascii_text(t("train.loss"))}</h2>',
        _picture(t, contents),
        _numbers(t, contents),
        f"</div><div>{_samples(t, contents)}</div></div>",
        f"<h2>{ascii_text(t('offline.training.time'))}</h2>",
        f"<p>{ascii_text(time)}</p>",
        _likeliest(t, contents),
    ]
    return "".join(parts)


def _picture(t: Translator, contents: _Contents) -> str:
    """The curves with their legend, and the buttons that save them as a file."""
    drawn = curve(t, contents.curves, contents.run.facts.get("baselines", {}), max(1, contents.run.step))
    if not drawn:
        return ""
    name, label = t("train.loss"), ascii_text(t("whole.save"))
    buttons = "".join(
        f'<button data-kind="{kind}" aria-label="{ascii_text(t("saving.as", name=name, kind=kind))}">.{kind}</button>'
        for kind in KINDS
    )
    return (
        f'<figure data-name="{ascii_text(name)}">{_ascii_html(drawn)}{_legend(t, contents)}</figure>'
        f'<div class="saves" role="group" aria-label="{label}"><span>{label}</span>{buttons}</div>'
    )


def _legend(t: Translator, contents: _Contents) -> str:
    words = (f'<span class="{name}"><i></i>{ascii_text(t(f"train.chart.{name}"))}</span>' for name in contents.curves)
    return f'<p class="legend">{"".join(words)}</p>' if len(contents.curves) > 1 else ""


def _numbers(t: Translator, contents: _Contents) -> str:
    """The picture as a table, for those who don't see it."""
    lines = contents.run.facts.get("baselines", {})
    rows = [
        *([t(f"train.baseline.{name}", nats=t.number(nats, 4)), ""] for name, nats in lines.items()),
        *([f"{t(f'train.chart.{name}')}, {t('train.chart.step')} {t.integer(step)}", t.number(nats, 4)]
          for name, points in contents.curves.items() for step, nats in _spread(points, 8)),
    ]  # fmt: skip
    table = _table([t("train.chart.line"), t("train.chart.nats")], rows)
    return f"<details><summary>{ascii_text(t('offline.training.numbers'))}</summary>{table}</details>"


def _samples(t: Translator, contents: _Contents) -> str:
    if not contents.samples:
        return ""
    by_step: dict[int, list[str]] = {}
    for one in contents.samples:
        by_step.setdefault(one.step, []).append(visible(shortened(one.text, LONGEST)))
    rows = [[t.integer(step), "   ".join(texts)] for step, texts in by_step.items()]
    title = ascii_text(t("offline.training.samples"))
    return f"<h2>{title}</h2>{_table([t('train.chart.step'), t('offline.training.text')], rows, is_code=True)}"


def _likeliest(t: Translator, contents: _Contents) -> str:
    """What the model of each time holds likeliest after the text."""
    rows = [[t.integer(step), *_next_tokens(t, run)] for step, run in contents.recordings]
    return _table([t("train.chart.step"), *(str(i + 1) for i in range(max(map(len, rows)) - 1))], rows)


def _next_tokens(t: Translator, run: Recording) -> Iterator[str]:
    value = run.trace.value(f"{READOUT}.probs")
    if value is None:
        return
    probs = value.array.reshape(-1, value.array.shape[-1])[-1]
    for id in np.argsort(-probs, kind="stable")[:_LIKELIEST].tolist():
        yield f"{visible(run.piece(id))} {t.percent(float(probs[id]))}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], is_code: bool = False) -> str:
    names = "".join(f'<th scope="col">{ascii_text(one)}</th>' for one in head)
    body = "".join(
        f'<tr><th scope="row">{ascii_text(first)}</th>{"".join(f"<td>{ascii_text(one)}</td>" for one in others)}</tr>'
        for first, *others in rows
    )
    kind = ' class="code"' if is_code else ""
    table = f"<table{kind}><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="table" tabindex="0">{table}</div>'


def _ascii_html(html: str) -> str:
    return html.encode("ascii", "xmlcharrefreplace").decode()
