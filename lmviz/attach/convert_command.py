"""`lmviz convert WEIGHTS FOLDER`: weights in a pickle as an ordinary folder. It asks before it writes."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from lmviz.errors import UserError
from lmviz.model.checkpoint import load
from lmviz.model.convert import ACTIVATIONS, Conversion, check_folder, convert, write
from lmviz.model.files import MEGABYTE, read_text
from lmviz.model.tokenizer import Tokenizer
from lmviz.tokens.gpt2 import gpt2

_LARGEST_TEXT = 200 * MEGABYTE  # that a vocabulary of characters is taken from
_GPT2_VOCABULARIES = (50257, 50304)  # GPT-2's own, and rounded up as nanoGPT does


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 when the folder was written, 1 when the answer was no, 2 for wrong use."""
    asked = _parser().parse_args(arguments)
    try:
        conversion = convert(asked.weights, _tokenizer(asked), asked.activation)
        conversion = _with_tokenizer(conversion)
        check_folder(conversion, asked.folder)
        _try(conversion)
        print(_described(conversion, asked.folder))
        if not asked.yes and not _agreed():
            print("Nothing was written.")
            return 1
        write(conversion, asked.folder)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Written. Open it with: lmviz {asked.folder}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lmviz convert", description=__doc__)
    parser.add_argument(
        "weights", type=Path, help="ckpt.pt of nanoGPT, or pytorch_model.bin with a config.json beside it"
    )
    parser.add_argument("folder", type=Path, help="where the folder goes")
    cut = parser.add_mutually_exclusive_group()
    cut.add_argument("--text", type=Path, help="the training text of a model of characters: its letters are the ids")
    cut.add_argument("--tokenizer", type=Path, help="a tokenizer.json")
    parser.add_argument(
        "--activation", choices=ACTIVATIONS, default="gelu", help="of nanoGPT's MLP: exact (default), or by tanh"
    )
    parser.add_argument("--yes", action="store_true", help="write without asking")
    return parser


def _tokenizer(asked: argparse.Namespace) -> Tokenizer | None:
    if asked.text is not None:
        return Tokenizer.characters(read_text(asked.text, _LARGEST_TEXT))
    return None if asked.tokenizer is None else Tokenizer.from_file(asked.tokenizer)


def _with_tokenizer(conversion: Conversion) -> Conversion:
    """With GPT-2's own, where none was given and the sizes are GPT-2's."""
    if conversion.source != "nanoGPT" or "tokenizer.json" in conversion.files:
        return conversion
    if conversion.config["vocab_size"] not in _GPT2_VOCABULARIES:
        raise UserError(
            "The file does not say how texts are cut into its {d_vocab} tokens: give --text with the text that a model "
            "of characters was trained on, or --tokenizer with a tokenizer.json.",
            d_vocab=conversion.config["vocab_size"],
        )
    files = {**conversion.files, "tokenizer.json": gpt2().text().encode()}
    return Conversion(files, conversion.n_weights, conversion.config, conversion.source)


def _try(conversion: Conversion) -> None:
    """What is written must open."""
    with tempfile.TemporaryDirectory(prefix="lmviz-") as folder:
        write(conversion, Path(folder))
        load(Path(folder))


def _described(conversion: Conversion, folder: Path) -> str:
    replaced = [name for name in conversion.files if (folder / name).exists()]
    files = ", ".join(f"{name} ({len(content):,} bytes)" for name, content in conversion.files.items())
    lines = [
        f"{conversion.source}: model_type {conversion.config.get('model_type')}, {conversion.n_weights:,} weights.",
        f"Into {folder}: {files}.",
    ]
    return "\n".join([*lines, *([f"This replaces {', '.join(replaced)}."] if replaced else [])])


def _agreed() -> bool:
    """Whether somebody at a terminal says yes.

    Raises:
        UserError: nobody is there to ask.
    """
    try:
        return input("Write it? [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, RuntimeError):  # RuntimeError: standard input was closed
        raise UserError("Nobody is there to be asked: give --yes to write without asking.") from None
