"""Builds the site: every page in every language, the walks that they link to, and nothing else."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lmviz.bundle import HOME as CHECKOUT
from lmviz.errors import UserError
from lmviz.faults import of_system
from lmviz.registry.models import Models
from lmviz.services.services import Services
from lmviz.site import docs
from lmviz.site.course import Course
from lmviz.site.done import Doer
from lmviz.site.frame import SitePage, document
from lmviz.site.gallery import Gallery
from lmviz.site.home import home, install
from lmviz.site.walks import Walks
from lmviz.train.runs import Runs
from lmviz.train.texts import preset
from lmviz.ui.offline.training import save_training_page
from lmviz.ui.text import DEFAULT, LANGUAGES
from lmviz.ui.training.view import TrainingView

STEPS, LOOKED = 600, 0.5  # of the training; seconds between two looks at it
_MARK = ".lmviz-site"  # a file that says that a folder may be written anew


@dataclass(frozen=True)
class Extent:
    """How much of the site is built."""

    samples: tuple[str, ...]  # models with walks; the first is tried on the first page
    bugs: tuple[str, ...]
    broken: str  # the model that they are put into
    trains: bool  # whether trainings are made, for the gallery and the answers of the course


FULL = Extent(
    ("small-ever", "pokemon", "names", "names-llama", "simple-llm", "sentences"),
    ("no_mask", "no_scale", "no_residual"), "names", True,
)  # fmt: skip
QUICK = Extent(("small-ever", "pokemon"), ("no_mask",), "pokemon", False)


def build(out: Path, extent: Extent = FULL) -> tuple[Path, ...]:
    """Write the site into a folder; returns its files.

    Raises:
        UserError: the folder holds something else, can't be written to, or lmviz is not here with its docs.
    """
    with _folder_for(out) as folder, tempfile.TemporaryDirectory(prefix="lmviz-site-") as temporary:
        runs = Runs(Path(temporary))
        try:
            _write(folder, extent, Services(Models(open_runs=lambda: runs)))
        finally:
            runs.close()
    return tuple(path for path in sorted(out.rglob("*")) if path.is_file() and path.name != _MARK)


def _write(folder: Path, extent: Extent, services: Services) -> None:
    walks = Walks(services, folder, {*extent.samples, extent.broken})
    run = _trained(services) if extent.trains else ""
    training = ""
    if run:
        training = "gallery/training.html"
        (folder / training).parent.mkdir(parents=True, exist_ok=True)
        save_training_page(services.models, run, folder / training, DEFAULT)
    pages = [*_pages(extent, services, walks, run, training)]
    names = frozenset(page.name for page in pages)
    for page in pages:
        path = folder / page.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document(page, names), encoding="utf-8", newline="\n")


def _trained(services: Services) -> str:
    """The id of a training that has come to its end: longer than the course's plan, which asks for such a one."""
    recipe = preset(TrainingView().data)
    runs = services.models.runs
    run = runs.start(replace(recipe, training=replace(recipe.training, steps=STEPS)))
    while runs.get(run).is_active:
        time.sleep(LOOKED)
    found = runs.get(run)
    if found.step < STEPS:
        raise UserError("The training for the site ended at step {step} of {steps}.", step=found.step, steps=STEPS)
    return run


def _pages(extent: Extent, services: Services, walks: Walks, run: str, training: str) -> Iterator[SitePage]:
    for lang in LANGUAGES:
        spoken = f"{training}#lang={lang}" if training else ""
        gallery = Gallery(lang, services, walks, extent.samples, extent.bugs, extent.broken, spoken)
        yield home(lang, gallery.first_walk(extent.samples[0]))
        yield install(lang)
        yield from gallery.pages()
        yield from Course(lang, Doer(services, run), walks, spoken).pages()
        yield from docs.pages(CHECKOUT / "docs", lang)


@contextmanager
def _folder_for(out: Path) -> Iterator[Path]:
    """A new folder to write into, which takes the place of `out` when all is written."""
    try:
        if out.exists() and not (out / _MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
            raise UserError(
                "The site needs a folder of its own: a new one, an empty one, or a site built before; {out} is none.",
                out=str(out),
            )
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
            folder = Path(temporary) / "site"
            folder.mkdir()
            (folder / _MARK).touch()
            yield folder
            if out.exists():
                shutil.rmtree(out)
            folder.rename(out)
    except OSError as error:
        raise UserError(
            "The site cannot be written to {out}: {reason}.", out=str(out), reason=of_system(error)
        ) from None
