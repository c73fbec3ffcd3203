"""What a column of a log holds, told from the words of its name."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

Role = Literal["", "step", "epoch", "loss", "held_out", "other_loss", "grad_norm", "learning_rate"]
ROLES: tuple[Role, ...] = get_args(Role)
Part = Literal["", "train", "val", "test"]  # of the texts: which of them a number is about

_SUBWORD = re.compile(r"[A-Z]{2,40}(?![a-z])|[A-Z]?[a-z]{1,80}|[A-Z]|\d{1,20}")
_PARTS: dict[str, Part] = {
    **dict.fromkeys(("train", "training", "tr", "trn", "trained", "entrainement", "apprentissage", "entr"), "train"),
    **dict.fromkeys(
        ("val", "valid", "validation", "validate", "validating", "validated", "vl", "vloss", "eval", "evaluation",
         "evaluate", "evaluating", "evaluated", "dev", "held", "heldout", "holdout"),
        "val",
    ),
    **dict.fromkeys(("test", "testing", "te", "tst", "teste"), "test"),
}  # fmt: skip
_EVALUATED = frozenset(("saving", "dict"))  # what a TensorFlow estimator says before the numbers of an evaluation
_LOSS = frozenset(
    ("loss", "losses", "vloss", "tloss", "perte", "pertes", "verlust", "perdida", "nll", "xent", "xentropy", "ce",
     "cel", "crossentropy", "cost", "cout", "bce", "logloss", "mlogloss")
)  # fmt: skip
_NO_LOSS = frozenset(
    ("scale", "scaler", "ratio", "delta", "diff", "best", "lowest", "min", "max", "minimum", "maximum", "std", "stddev",
     "var", "variance", "prev", "previous", "aux", "auxiliary", "router", "balance", "balancing", "z", "kl", "reg",
     "regularization", "weight", "coef", "threshold", "patience", "target", "ppl", "perplexity", "acc", "accuracy",
     "time", "count", "num", "bpb", "bpc", "improvement", "improved", "function", "spike", "spikes", "skipped",
     "per", "change", "goal")
)  # fmt: skip
_AVERAGED = frozenset(("epoch", "epoque", "avg", "average", "mean", "moyenne", "moyen", "smooth", "smoothed", "running",
                       "ema", "cumulative"))  # fmt: skip
_SINGLE = frozenset(("step", "batch", "iter", "iteration", "main"))
_STEP = frozenset(
    ("step", "steps", "iter", "iters", "iteration", "iterations", "it", "itr", "update", "updates", "etape", "etapes",
     "pas", "schritt", "paso", "i", "batch", "batches", "lot", "lots", "minibatch")
)  # fmt: skip
_EPOCH = frozenset(("epoch", "epochs", "epoque", "epoques", "ep", "epoche", "epoca"))
_NO_COUNT = frozenset(
    ("max", "total", "of", "warmup", "warm", "save", "saving", "per", "every", "accumulation", "accum", "last", "best",
     "skipped", "remaining", "time", "ms", "s", "sec", "secs", "second", "seconds", "dt", "decay", "scheduler", "size",
     "logging", "log", "nan", "left", "avg", "average", "mean", "rate", "speed", "lr", "loss", "micro", "tokens", "eta",
     "bad", "patience", "interval", "freq", "frequency", "ppl", "acc", "accuracy", "length", "examples", "samples",
     "seed", "gpu", "rank", "since", "until", "duration", "took")
)  # fmt: skip
_NUMBERED = frozenset(("no", "number", "idx", "index", "num", "id"))
_GRADIENT = frozenset(("grad", "gradient", "gradients", "grads"))
_JOINED = {
    **{
        f"{part}loss": (part, "loss")
        for part in ("val", "valid", "validation", "eval", "test", "train", "training", "step")
    },
    "lossval": ("val", "loss"),
    "gnorm": ("grad", "norm"),
    "gradnorm": ("grad", "norm"),
    "globalstep": ("global", "step"),
    "learningrate": ("learning", "rate"),
}


_SPLITS = frozenset(
    ("split", "phase", "mode", "stage", "event", "type", "kind", "set", "subset", "part", "dataset", "jeu", "etape")
)  # what a column is called whose words say which texts the others are about


@dataclass(frozen=True)
class Name:
    """What the words of a name say."""

    words: tuple[str, ...]  # in lower case, without accents
    part: Part
    role: Role  # by the words alone
    bare: bool = False  # it says of which texts, and not what: "val"
    rank: int = 0  # of a loss: how far it is from the loss of one step, 0 the nearest
    averaged: bool = False  # a loss that is a mean over many steps


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name in lower case, whatever joins them.

    >>> words_of("train/CrossEntropyLoss"), words_of("Perte_d'évaluation")
    (('train', 'cross', 'entropy', 'loss'), ('perte', 'd', 'evaluation'))
    """
    plain = name if name.isascii() else _without_accents(name)
    found: list[str] = []
    for word in _SUBWORD.findall(plain):
        lower = word.lower()
        found.extend(_JOINED.get(lower, (lower,)))
    return tuple(found)


def _without_accents(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))


def part_of(words: tuple[str, ...]) -> Part:
    """Which texts the words are about; the last that says so counts."""
    if set(words) >= _EVALUATED:
        return "val"
    return next((_PARTS[word] for word in reversed(words) if word in _PARTS), "")


def split_of(name: str, written: str) -> Part:
    """Which texts a row is about, if a column of that name with that word in it says so.

    >>> split_of("phase", "val"), split_of("run", "test")
    ('val', '')
    """
    words = words_of(written[:40])
    says = bool(words) and _PARTS.keys() >= set(words) and bool(_SPLITS & set(words_of(name)))
    return part_of(words) if says else ""


@lru_cache(maxsize=20_000)
def name_of(name: str, context: Part = "") -> Name:
    """What a name says.

    Args:
        context: which texts the line that it stands in is about.
    """
    words = tuple(word for word in words_of(name) if not word.isdigit())
    part = part_of(words) or context
    plain = frozenset(words)
    if not words:
        return Name((), part, "")
    if _is_rate(plain):
        return Name(words, part, "learning_rate")
    if "norm" in plain or "norme" in plain:
        is_gradient = plain <= {"norm", "norme", "g", "du", "total", "global", "train"} or bool(plain & _GRADIENT)
        clipped = bool(plain & {"clip", "clipped", "max"})
        return Name(words, part, "grad_norm" if is_gradient and not clipped else "")
    if _is_loss(words, plain):
        averaged = bool(plain & _AVERAGED)
        extra = max(0, len(plain - _PARTS.keys() - _SINGLE - {"cross", "entropy"}) - 1)
        rank = 10 * averaged + 2 * extra - 2 * bool(plain & _SINGLE) + (part == "train")
        return Name(words, part, "held_out" if part in ("val", "test") else "loss", rank=rank, averaged=averaged)
    if plain <= _PARTS.keys() | {"out", "set"}:
        return Name(words, part, "held_out" if part in ("val", "test") else "loss", bare=True, rank=30)
    return Name(words, part, _count(words, plain))


def _is_rate(plain: frozenset[str]) -> bool:
    by_two = {"learning", "rate"} <= plain or ("taux" in plain and "apprentissage" in plain)
    return "lr" in plain or by_two


def _is_loss(words: tuple[str, ...], plain: frozenset[str]) -> bool:
    names_one = bool(plain & _LOSS) or {"cross", "entropy"} <= plain
    return names_one and not plain & _NO_LOSS


def _count(words: tuple[str, ...], plain: frozenset[str]) -> Role:
    """Of steps or epochs: the last word says of which, and none says that it counts something else.

    "Epoch Step" counts steps; a lone letter counts steps only if it is all there is.
    """
    telling = [word for word in words if word not in _PARTS and word not in _NUMBERED]
    if plain & _NO_COUNT or not telling or ("num" in plain and "updates" not in plain):
        return ""
    if len(telling[-1]) == 1 and len(words) > 1:
        return ""
    return "step" if telling[-1] in _STEP else "epoch" if telling[-1] in _EPOCH else ""
