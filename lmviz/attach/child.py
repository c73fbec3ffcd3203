"""The process in which somebody's own file runs: `python -P -m lmviz.attach.child`. lmviz itself starts it.

It answers requests one after the other, each as its length in 8 bytes and then JSON; recordings go to files that the
request names. What the file prints goes to the terminal, and what it reads from there is empty.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import queue
import sys
import threading
import tokenize
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from lmviz.errors import UserError, plain_details
from lmviz.model.tokenizer_process import receive, send

Answer = dict[str, Any]
MOST = 2**20  # bytes of a request
OURS = Path(__file__).parent.parent


def main() -> None:
    requests, answers = _alone()
    work = _Work()
    while True:
        request = requests.get()
        try:
            answer = work.answer(request)
        except UserError as error:
            answer = {"wrong": error.sentence, "details": plain_details(error)}
        send(answers, answer)


def _alone() -> tuple[queue.Queue[Any], IO[bytes]]:
    """The parent's requests, and the way back, kept away from what the file prints and reads.

    When the parent is gone the process ends, whatever the file is doing.
    """
    asking, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    requests: queue.Queue[Any] = queue.Queue()

    def listen() -> None:
        while (request := receive(asking, MOST)) is not None:
            requests.put(request)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    return requests, answers


class _Work:
    def __init__(self) -> None:
        self._example: Any = None

    def answer(self, request: Mapping[str, Any]) -> Answer:
        if request["do"] == "open":
            before = set(sys.modules)
            self._example = _example(request["file"], request["factory"])
            return {"files": _files(before, request["folders"])}
        return self._examine(request) if request["do"] == "examine" else self._record(request)

    def _examine(self, request: Mapping[str, Any]) -> Answer:
        from lmviz.attach.check import check
        from lmviz.attach.run import ids_read
        from lmviz.attach.sentences import packed
        from lmviz.attach.token_words import ids_of
        from lmviz.trace.capture.handles import tensors_in

        example, text = self._example, request["text"]
        if text and len(tensors_in((example.args, dict(example.kwargs)))) > 1:
            raise UserError(
                "--text is for a model that reads one text and nothing else; this one has several inputs: put the text "
                "among the `inputs` of the file."
            )
        if not text and ids_read(example) is None:
            raise UserError("The doctor examines language models: their inputs are ids, [batch, pos].")
        args, kwargs = (([ids_of(example.tokenizer, text)],), {}) if text else (example.args, example.kwargs)
        found = _as_sentences(lambda: check(example.model, *args, causal=request["causal"], **kwargs), "")
        return {"findings": [packed(one) for one in found]}

    def _record(self, request: Mapping[str, Any]) -> Answer:
        """Torch is imported here, by when the file has imported its own."""
        from lmviz.attach.requests import asked_in
        from lmviz.attach.run import facts_of, traced
        from lmviz.trace.saved import save

        def recorded() -> None:
            trace = traced(self._example, asked_in(request["asked"]))
            save(trace, Path(request["path"]), facts_of(self._example, trace))

        _as_sentences(recorded, "")
        return {}


def _example(file: str, factory: str) -> Any:
    """The model and the inputs that a file, or a factory in a package, names."""
    from lmviz.attach.example import example_in, example_made

    # Python takes a file that is saved again within a second, and no longer than before, for the one it has compiled.
    sys.dont_write_bytecode = True
    name = Path(file).name if file else factory
    if file and not Path(file).is_file():
        raise UserError(
            "{file} is not there any more: it was renamed or deleted. Put it back, or start lmviz with its new name.",
            file=name,
        )
    if file:
        module = _as_sentences(lambda: _module_of(Path(file)), file)
        return _as_sentences(lambda: example_in(vars(module), name), file)
    home, _, function = factory.partition(":")
    module = _as_sentences(lambda: importlib.import_module(home), "")
    if not callable(getattr(module, function, None)):
        raise UserError("The module {module} has no function {function}.", module=home, function=function)
    return _as_sentences(lambda: example_made(getattr(module, function), vars(module), function), module.__file__ or "")


def _module_of(path: Path) -> ModuleType:
    """A file as a module of its own, whose `if __name__ == "__main__":` stays closed."""
    sys.argv = [str(path)]
    if n_above := _packages_above(path):
        sys.path.insert(0, str(path.parents[n_above]))
        return importlib.import_module(".".join((*path.parts[-n_above - 1 : -1], path.stem)))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _packages_above(path: Path) -> int:
    """How many of the folders above a file are packages that it imports from (`from .layers import Block`); 0 if it
    imports from none."""
    try:
        with tokenize.open(path) as file:
            parts = list(ast.walk(ast.parse(file.read())))
    except (SyntaxError, ValueError):  # which is told when it is run
        return 0
    levels = max((part.level for part in parts if isinstance(part, ast.ImportFrom)), default=0)
    if not levels:
        return 0
    marked = next((n for n, folder in enumerate(path.parents) if not (folder / "__init__.py").is_file()), 0)
    return min(max(levels, marked), len(path.parents) - 1)


def _as_sentences(act: Callable[[], Any], file: str) -> Any:
    """What `act` returns; whatever it raises, as a sentence with the line that it came from."""
    try:
        return act()
    except UserError:
        raise
    except SystemExit as error:
        raise UserError(
            "{file} ended with sys.exit({code}) before there was a model to run: leave that out, or put it below "
            '`if __name__ == "__main__":`.',
            file=_name(file, error),
            code="" if error.code is None else str(error.code),
        ) from None
    except SyntaxError as error:
        raise UserError(
            "{file} is no Python as it stands: {reason:code}, in line {line}.",
            file=Path(error.filename or file).name,
            reason=error.msg,
            line=error.lineno or 0,
        ) from None
    except BaseException as error:  # KeyboardInterrupt in somebody's file, too, is theirs
        raise UserError(
            "{file} stopped in line {line}, before there was a recording: {error:code}.",
            file=_name(file, error),
            line=_line(file, error),
            error=f"{type(error).__name__}: {error}"[:500].rstrip("."),
        ) from None


def _frames(file: str, error: BaseException) -> list[traceback.FrameSummary]:
    """The frames of somebody's own file, the innermost last; all if it has none."""
    found = traceback.extract_tb(error.__traceback__)
    theirs = [one for one in found if not Path(one.filename).is_relative_to(OURS) and "importlib" not in one.filename]
    return [one for one in found if file and one.filename == file] or theirs or list(found)


def _name(file: str, error: BaseException) -> str:
    return Path(file or _frames(file, error)[-1].filename).name


def _line(file: str, error: BaseException) -> int:
    return _frames(file, error)[-1].lineno or 0


def _files(before: set[str], folders: list[str]) -> list[str]:
    """The files that were imported and that lie where somebody's own code lies: to be watched."""
    found = [getattr(module, "__file__", None) for name, module in sorted(sys.modules.items()) if name not in before]
    own = [file for file in found if file and any(Path(file).is_relative_to(folder) for folder in folders)]
    return [file for file in own if "site-packages" not in file]


if __name__ == "__main__":
    main()
