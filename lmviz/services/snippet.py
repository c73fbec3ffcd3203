"""A number of the page as a few lines of Python that make it again."""

from __future__ import annotations

import os
from pathlib import Path

from lmviz.bundle import RECORDING
from lmviz.errors import UserError
from lmviz.registry.edits import CellEdit, Edit
from lmviz.registry.folder import Folder
from lmviz.registry.models import Models
from lmviz.registry.recording import Recording
from lmviz.registry.run import RunModel
from lmviz.stages.stage import LOSS, READOUT
from lmviz.trace.step import Cell
from lmviz.train.data import IGNORED

READ_FROM_FILE = "recording" + RECORDING  # how a recording is called that has to be saved first


def snippet(models: Models, run: Recording, address: str, cell: Cell | None = None, gradient: bool = False) -> str:
    """Lines that run as they are wherever lmviz is installed and the model is, and print what the page shows.

    A model that a folder does not hold (one with a bug put into it, a step of a training, a program of one's own) is
    read from a recording, which is saved beforehand.

    Args:
        address: of a tensor of the recording.
        cell: which of its numbers; None: all.
    """
    lines = _read(gradient)
    if not reads_recording(models, run):
        lines = _made(_checkpoint(models, run) or "", run, address, gradient)
    lines.append(f"value = trace.value({address!r})")
    index = "" if cell is None else f"[{', '.join(map(str, cell))}]" if cell else "[()]"
    lines.append(f"print(value.{'grad' if gradient else 'array'}{index})")
    if cell is not None and not gradient and address in run.trace:
        lines.append(f"print(lmviz.explain(trace[{address!r}], {cell!r}).value)  # worked out anew in float64")
    return "\n".join(lines)


def reads_recording(models: Models, run: Recording) -> bool:
    """Whether the lines read a recording that has to be saved beforehand."""
    return _checkpoint(models, run) is None


def _read(gradient: bool) -> list[str]:
    told = "  # with the gradients: choose them on the page first" if gradient else ""
    return ["import lmviz", "", f'trace = lmviz.open_trace("{READ_FROM_FILE}"){told}']


def _made(checkpoint: str, run: Recording, address: str, gradient: bool) -> list[str]:
    is_read_out, is_loss = (address.startswith(f"{part}.") for part in (READOUT, LOSS))
    lines = ["import lmviz"]
    if is_read_out:
        lines.append("from lmviz.generate.readout import Readout")
    if is_loss or gradient:
        lines.append("from lmviz.generate.readout import NextTokenLoss")
    if checkpoint.startswith("Runs("):
        lines.append("from lmviz.train.runs import Runs")
    lines += ["", f"checkpoint = {checkpoint}", *_ids(run)]
    lines += _edits(run.request.edits)
    changed = ", edits=edits" if run.request.edits else ""
    if is_loss or gradient:
        following = [*run.tokens.ids[1:], IGNORED if run.target_id is None else run.target_id]
        lines.append(f"loss = NextTokenLoss(ids.new_tensor([{following!r}]))  # what comes next; {IGNORED}: not known")
        changed += ", backward=loss" if gradient else ""
    lines.append(f"trace = lmviz.record(checkpoint.model, ids{changed})")
    if is_loss and not gradient:
        lines.append(f"trace = lmviz.record(loss, trace.output, follows=trace, prefix={LOSS!r})")
    if is_read_out:
        readout = f"Readout(temperature={run.request.temperature!r})"
        lines.append(f"trace = lmviz.record({readout}, trace.output, follows=trace, prefix={READOUT!r})")
    return lines


def _checkpoint(models: Models, run: Recording) -> str | None:
    """What loads the model; None if nothing does that everybody has."""
    model = run.request.model
    if isinstance(model, RunModel):
        return f"Runs({_home(models.runs.folder)!r}).model_at({model.run!r}, {model.step})"
    if isinstance(model, Folder) and model.name in models.sample_names():
        return f"lmviz.load({model.name!r})"
    try:
        folder = run.checkpoint.folder
    except UserError:  # it belongs to a program of one's own
        return None
    return f"lmviz.load({_home(folder)!r})" if isinstance(model, Folder) and folder is not None else None


def _home(folder: Path) -> str:
    """A path without the name of whoever's home it is below."""
    home = str(Path.home())
    written = str(folder)
    return f"~{written[len(home) :]}" if written.startswith(home + os.sep) else written


def _ids(run: Recording) -> list[str]:
    """The ids that were read: by the tokenizer if it gives exactly these."""
    text, ids = run.request.prompt, run.tokens.ids
    found = run.checkpoint.tokenizer.encode(text).ids
    if found == ids:
        return [f"ids = checkpoint.tokenizer.encode({text!r}).ids_tensor"]
    if found[-len(ids) :] == ids:
        return [f"ids = checkpoint.tokenizer.encode({text!r}).ids_tensor[:, -{len(ids)}:]  # what fits the context"]
    return ["import torch", f"ids = torch.tensor([{list(ids)!r}])"]


def _edits(edits: tuple[Edit, ...]) -> list[str]:
    if not edits:
        return []
    by_address: dict[str, list[str]] = {}
    for edit in edits:
        place = repr(edit.cell) if isinstance(edit, CellEdit) else f"(slice(None), {edit.head})"
        number = repr(edit.value) if isinstance(edit, CellEdit) else "0.0"
        by_address.setdefault(edit.address, []).append(f"({place}, {number})")
    table = ", ".join(f"{address!r}: [{', '.join(found)}]" for address, found in by_address.items())
    return [
        "",
        "",
        "def put(tensor, numbers):",
        "    for place, number in numbers:",
        "        tensor[place] = number",
        "    return tensor",
        "",
        "",
        f"numbers = {{{table}}}",
        "edits = {address: lambda tensor, put_in=put_in: put(tensor, put_in) for address, put_in in numbers.items()}",
    ]
