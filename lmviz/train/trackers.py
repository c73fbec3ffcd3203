"""The curves of a training for other programs: CSV and TensorBoard's files, or live to trackio and Weights & Biases.

None is on unless it is asked for, by `lmviz train --log KIND` or, for the trainings of the app, by LMVIZ_LOG=KIND,KIND.
"""

from __future__ import annotations

import csv
import io
import os
import zipfile
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lmviz.errors import UserError
from lmviz.model.files import write_whole
from lmviz.train.loop import Snapshot
from lmviz.train.recipe import Recipe
from lmviz.train.store.series import Points

_PROJECT = "lmviz"  # under which a service lists the runs
_FLUSH_SECONDS = 5  # after which a file has what was written to it
VARIABLE = "LMVIZ_LOG"
CSV, TENSORBOARD, TRACKIO, WANDB = KINDS = ("csv", "tensorboard", "trackio", "wandb")
_MODULES = {TENSORBOARD: "tensorboardX", TRACKIO: "trackio", WANDB: "wandb"}  # also the extras of these names


def points_of(snapshots: Iterable[Snapshot]) -> dict[str, Points]:
    """The numbers of some steps, by metric."""
    points: defaultdict[str, Points] = defaultdict(list)
    for snapshot in snapshots:
        step = snapshot.step
        points["loss"].append((step, snapshot.loss))
        points["grad_norm"].append((step, snapshot.grad_norm))
        points["learning_rate"].append((step, snapshot.learning_rate))
        if snapshot.held_out_loss is not None:
            points["held_out_loss"].append((step, snapshot.held_out_loss))
        for group_update in snapshot.group_updates:
            points[f"grad_norm/{group_update.group}"].append((step, group_update.grad_norm))
            points[f"update_ratio/{group_update.group}"].append((step, group_update.update_ratio))
    return points


class Tracker(ABC):
    """Where numbers go besides our own store."""

    @abstractmethod
    def write(self, points: Mapping[str, Points]) -> None:
        """Add the numbers of some metrics, steps growing."""

    @abstractmethod
    def close(self) -> None:
        """Nothing more comes."""


class CsvTracker(Tracker):
    """One line for each step, one column for each metric; rewritten whole, since a metric may come late."""

    def __init__(self, path: Path) -> None:
        self._path, self._points = path, defaultdict[str, Points](list)

    def write(self, points: Mapping[str, Points]) -> None:
        for metric, new in points.items():
            self._points[metric] += new

    def close(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, as_csv(self._points))


class TensorBoardTracker(Tracker):
    """Event files, as `tensorboard --logdir FOLDER` reads them."""

    def __init__(self, folder: Path) -> None:
        self._writer = _module(TENSORBOARD).SummaryWriter(str(folder), flush_secs=_FLUSH_SECONDS)

    def write(self, points: Mapping[str, Points]) -> None:
        for metric, new in points.items():
            for step, number in new:
                self._writer.add_scalar(metric, number, step)

    def close(self) -> None:
        self._writer.close()


class ServiceTracker(Tracker):
    """trackio, or wandb, which is called the same way. Where it sends is its own setting."""

    def __init__(self, kind: str, name: str, recipe: Mapping[str, Any]) -> None:
        self._service = _module(kind)
        self._service.init(project=_PROJECT, name=name, config=dict(recipe))

    def write(self, points: Mapping[str, Points]) -> None:
        by_step: defaultdict[int, dict[str, float]] = defaultdict(dict)
        for metric, new in points.items():
            for step, number in new:
                by_step[step][metric] = number
        for step in sorted(by_step):
            self._service.log(by_step[step], step=step)

    def close(self) -> None:
        self._service.finish()


def as_csv(points: Mapping[str, Points]) -> bytes:
    """A line for each step at which something was measured; empty where a metric was not."""
    by_step: defaultdict[int, dict[str, float]] = defaultdict(dict)
    for metric, measured in points.items():
        for step, number in measured:
            by_step[step][metric] = number
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(["step", *points])
    table.writerows([step, *(by_step[step].get(metric, "") for metric in points)] for step in sorted(by_step))
    return written.getvalue().encode()


def as_tensorboard(points: Mapping[str, Points], name: str) -> bytes:
    """All curves of a run as TensorBoard's event files, in a folder of that name, as the bytes of a zip file.

    Raises:
        UserError: what writes them is not installed.
    """
    with TemporaryDirectory(prefix="lmviz-") as folder:
        tracker = TensorBoardTracker(Path(folder) / name)
        tracker.write(points)
        tracker.close()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((Path(folder) / name).iterdir()):
                archive.write(path, f"{name}/{path.name}")
        return packed.getvalue()


def has_tensorboard() -> bool:
    """Whether what writes TensorBoard's files is installed."""
    return find_spec(_MODULES[TENSORBOARD]) is not None


def opened(kinds: Sequence[str], folder: Path, name: str, recipe: Recipe) -> list[Tracker]:
    """The trackers of some kinds, each once.

    Args:
        folder: where files go.
        name: what the run is called.

    Raises:
        UserError: there is no such kind, or it is not installed, or it does not begin.
    """
    return [_opened(kind, folder, name, recipe) for kind in dict.fromkeys(kinds)]


def asked_for(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The kinds that whoever runs this server has asked for."""
    return [kind.strip() for kind in environment.get(VARIABLE, "").split(",") if kind.strip()]


def _opened(kind: str, folder: Path, name: str, recipe: Recipe) -> Tracker:
    if kind == CSV:
        return CsvTracker(folder / "curves.csv")
    if kind == TENSORBOARD:
        return TensorBoardTracker(folder / "tensorboard")
    if kind not in KINDS:
        raise UserError(
            "Curves can be logged as {kinds}; {kind} is none of these.", kinds=", ".join(KINDS), kind=kind or '""'
        )
    try:
        return ServiceTracker(kind, name, asdict(recipe))
    except UserError:
        raise
    except Exception as error:  # no network, no account: of any kind, since it is somebody else's code
        raise UserError(
            "Logging to {kind} did not begin: {reason:code}. Train without --log {kind}, or see how {kind} is set up.",
            kind=kind,
            reason=f"{type(error).__name__}: {error}"[:300],
        ) from error


def _module(kind: str) -> Any:
    try:
        return import_module(_MODULES[kind])
    except ImportError as error:
        raise UserError(
            'Logging to {kind} needs a package that is not here: pip install "lmviz[{kind}]".', kind=kind
        ) from error
