"""A recipe: everything that decides how a model comes out of its training, read from a TOML file and checked."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from lmviz.errors import UserError
from lmviz.model.architectures import ARCHITECTURES, NAMES
from lmviz.model.files import read_toml
from lmviz.model.sizes import check_above_zero, check_choice, check_fraction, check_not_below_zero, check_sizes
from lmviz.model.tokenizer import check_d_vocab
from lmviz.quantise.scheme import Scheme

Section = TypeVar("Section")


@dataclass(frozen=True)
class DataRecipe:
    """Which texts, and what of them is learned."""

    texts: tuple[str, ...] = ()
    file: str = ""  # beside the recipe, one text a line; instead of texts
    around: str = ""  # put before and after every text
    held_out: float = 0.0  # fraction of the texts that is never trained on
    stride: int = 1  # how far a window moves on in a text longer than the context
    targets: str = "all"  # "all": every token but the first of a text is predicted; "last": only the last one

    def __post_init__(self) -> None:
        check_fraction(held_out=self.held_out)
        check_sizes(stride=self.stride)
        check_choice("targets", self.targets, ("all", "last"))
        if bool(self.texts) == bool(self.file):
            raise UserError("A recipe must have either texts or a file of texts in its section [data].")
        if Path(self.file).name != self.file:
            raise UserError("The file of a recipe must lie beside it; got {file}.", file=self.file)


@dataclass(frozen=True)
class TokenizerRecipe:
    """What a token is."""

    kind: str  # "characters", "words", "bpe"
    alphabet: str = ""  # for characters: these, whether or not the texts have them
    d_vocab: int = 512  # for bpe: how many tokens at most
    specials: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("characters", "words", "bpe"))
        check_sizes(d_vocab=self.d_vocab)
        check_d_vocab(self.d_vocab)


@dataclass(frozen=True)
class ModelRecipe:
    """Architecture and sizes; the size of the vocabulary comes from the tokenizer."""

    architecture: str  # one of lmviz.model.architectures
    n_ctx: int
    n_layers: int
    d_model: int
    n_heads: int
    d_mlp: int
    activation: str = "gelu_tanh"
    tied: bool = True
    dropout: float = 0.0
    initial_std: float = 0.02  # of the weights before training, around 0
    start: str = ""  # folder of a model of these sizes, seen from the recipe's, to go on from; empty: from scratch
    own: tuple[tuple[str, Any], ...] = ()  # by name, what no other architecture has; in TOML, keys like all others

    def __post_init__(self) -> None:
        check_choice("architecture", self.architecture, NAMES)
        check_above_zero(initial_std=self.initial_std)
        for name in _lacking(self):
            raise UserError(
                "A {architecture} has no {name}: leave it at {fixed}, or take {others}; got {value}.",
                architecture=self.architecture,
                name=name,
                fixed=_fixed_at(self.architecture, name),
                others=", ".join(other for other in NAMES if name in ARCHITECTURES[other].settings),
                value=getattr(self, name),
            )


SHARED = tuple(
    field.name for field in fields(ModelRecipe) if field.name not in ("architecture", "initial_std", "start", "own")
)


def own_settings(architecture: str) -> dict[str, Any]:
    """The types of the settings that an architecture has and no recipe knows of; the texts decide d_vocab."""
    return {
        name: kind
        for name, kind in ARCHITECTURES[architecture].settings.items()
        if name not in SHARED and name != "d_vocab"
    }


def lacks(architecture: str, name: str) -> bool:
    """Whether a setting that recipes have means nothing to an architecture."""
    return name in _usual() and name not in ARCHITECTURES[architecture].settings


def _fixed_at(architecture: str, name: str) -> Any:
    """What an architecture has in place of a setting, or else what the setting is when nobody sets it."""
    return ARCHITECTURES[architecture].fixed.get(name, _usual()[name])


def of_architecture(recipe: ModelRecipe, architecture: str) -> ModelRecipe:
    """The same sizes in another architecture, without the settings that it lacks."""
    lacking: dict[str, Any] = {name: usual for name, usual in _usual().items() if lacks(architecture, name)}
    own = tuple((name, value) for name, value in recipe.own if name in own_settings(architecture))
    return replace(recipe, architecture=architecture, own=own, **lacking)


def _lacking(recipe: ModelRecipe) -> list[str]:
    """The settings that are set, and that the architecture lacks."""
    record = ARCHITECTURES[recipe.architecture]
    return [
        name
        for name, usual in _usual().items()
        if lacks(record.name, name) and getattr(recipe, name) not in (usual, record.fixed.get(name, usual))
    ]


@lru_cache
def _usual() -> dict[str, Any]:
    """What the shared settings are that a recipe need not say."""
    return {one.name: one.default for one in fields(ModelRecipe) if one.name in SHARED and one.default is not MISSING}


@dataclass(frozen=True)
class TrainingRecipe:
    """How the weights move."""

    steps: int
    learning_rate: float
    optimizer: str = "adamw"
    schedule: str = "constant"  # "cosine" goes down to 0 at the last step
    warm_up: int = 0  # steps on which the learning rate climbs to its full height
    batch_size: int = 0  # windows per step, at most; 0: all of them
    batches: str = "even"  # of an epoch: "even", alike in size; "full", and the last one is what they leave
    momentum: float = 0.9
    weight_decay: float = 0.0  # of matrices only: biases, scales and shifts are left alone
    clip: float = 0.0  # longest gradient; 0: any
    seed: int = 0

    def __post_init__(self) -> None:
        check_sizes(steps=self.steps)
        check_above_zero(learning_rate=self.learning_rate)
        check_choice("optimizer", self.optimizer, ("sgd", "momentum", "adam", "adamw"))
        check_choice("schedule", self.schedule, ("constant", "cosine"))
        check_choice("batches", self.batches, ("even", "full"))
        check_fraction(momentum=self.momentum, weight_decay=self.weight_decay)
        check_not_below_zero(warm_up=self.warm_up, batch_size=self.batch_size, clip=self.clip, seed=self.seed)


@dataclass(frozen=True)
class QuantisationRecipe(Scheme):
    """In how many bits the model reads its matrices while it learns, and afterwards."""

    format: str = "fp32"  # as they are; in any other format, the training is quantisation-aware


@dataclass(frozen=True)
class CardRecipe:
    """What the card says that nobody can measure."""

    title: str = ""
    about: str = ""  # Markdown
    license: str = ""
    languages: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    begins: str = ""  # in a line of Markdown: what it is trained on, and how a text for it begins


@dataclass(frozen=True)
class Recipe:
    """One TOML file, one section a field."""

    data: DataRecipe
    tokenizer: TokenizerRecipe
    model: ModelRecipe
    training: TrainingRecipe
    quantisation: QuantisationRecipe = field(default_factory=QuantisationRecipe)
    card: CardRecipe = field(default_factory=CardRecipe)


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in a TOML file; a UserError names the line, the section or the key that is wrong."""
    return recipe_from(read_toml(Path(path)))


def recipe_from(tables: Mapping[str, Any]) -> Recipe:
    sections = _types(Recipe)
    _check_keys("The recipe", tables, sections, required=sections.keys() - {"quantisation", "card"})
    return Recipe(**{name: _section(sections[name], name, table) for name, table in tables.items()})


def stored_recipe(tables: Mapping[str, Any]) -> Recipe:
    """A recipe that a run was stored with. What it does not say is as it was before it could be said."""
    training = tables.get("training")
    known = {"batches": "full"} | training if isinstance(training, dict) else training
    model = tables.get("model")
    return recipe_from({**tables, "training": known, "model": _stored_model(model)})


def _stored_model(table: object) -> object:
    """Without the settings that its architecture lacks: they were once passed over."""
    if not isinstance(table, dict) or table.get("architecture") not in NAMES:
        return table
    passed_over = [name for name in ("activation", "tied") if lacks(table["architecture"], name)]
    return {key: value for key, value in table.items() if key not in passed_over}


def tables_of(recipe: Recipe) -> dict[str, Any]:
    """What `recipe_from` reads back as the same recipe, in types that JSON and TOML have."""
    tables = asdict(recipe)
    tables["model"] |= dict(tables["model"].pop("own"))
    return {
        name: {key: list(value) if isinstance(value, tuple) else value for key, value in table.items()}
        for name, table in tables.items()
    }


def toml_of(recipe: Recipe) -> str:
    """The text of a file that `read_recipe` reads back as the same recipe. What is at its default is left out."""
    sections = []
    for name, table in tables_of(recipe).items():
        known = {field.name: field.default for field in fields(type(getattr(recipe, name)))}
        section = getattr(recipe, name)
        given = {key: value for key, value in table.items() if key not in known or getattr(section, key) != known[key]}
        if given:
            sections.append("\n".join([f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in given.items())]))
    return "\n\n".join(sections) + "\n"


def _toml(value: Any) -> str:
    """A string, a number, a truth or a list of strings. What JSON writes of these is TOML, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@lru_cache
def _types(kind: Hashable) -> dict[str, Any]:
    """The types of a class's fields; Python works them out anew whenever it is asked."""
    return get_type_hints(kind)


def _section(kind: type[Section], name: str, table: object) -> Section:
    if not isinstance(table, dict):
        raise UserError("{name} must be a section, [{name}], of the recipe.", name=name)
    own = _own_types(table) if kind is ModelRecipe else {}
    types = {key: found for key, found in _types(kind).items() if key != "own"} | own  # type: ignore[arg-type]
    required = {field.name for field in fields(kind) if field.default is MISSING}  # type: ignore[arg-type]
    _check_keys(f"[{name}]", table, types, required)
    values = {key: _checked(f"{key} in [{name}]", value, types[key]) for key, value in table.items()}
    found = {"own": tuple(sorted((key, values.pop(key)) for key in own if key in values))} if own else {}
    return kind(**values, **found)


def _own_types(table: Mapping[str, Any]) -> dict[str, Any]:
    """Of the settings that the architecture in this section has for itself."""
    architecture = table.get("architecture")
    return own_settings(architecture) if isinstance(architecture, str) and architecture in NAMES else {}


def _check_keys(where: str, table: Mapping[str, Any], known: Mapping[str, Any], required: set[str]) -> None:
    for key in sorted(table.keys() - known.keys()):
        raise UserError("{where} has no {key}; it may have {known}.", where=where, key=key, known=", ".join(known))
    for key in sorted(required - table.keys()):
        raise UserError("{where} must have {key}; it is missing.", where=where, key=key)


def _checked(where: str, value: object, kind: Any) -> Any:
    """The value in the type that the field has, where TOML's own types allow it."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return float(value)
    if kind in (int, float, str, bool) and type(value) is kind:
        return value
    if kind == tuple[str, ...] and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    said = {"where": where, "value": value}
    if kind is int:
        raise UserError("{where} must be a whole number, without quotes or a point; got {value!r}.", **said)
    if kind is float:
        raise UserError("{where} must be a number, without quotes; got {value!r}.", **said)
    if kind is bool:
        raise UserError("{where} must be true or false, without quotes; got {value!r}.", **said)
    if kind is str:
        raise UserError("{where} must be a text, in quotes; got {value!r}.", **said)
    raise UserError("{where} must be a list of texts, each in quotes; got {value!r}.", **said)
