"""Choices that several pages offer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any

from lmviz.errors import UserError
from lmviz.registry.attached import attached as all_attached
from lmviz.registry.bug import OfWeights
from lmviz.registry.kinds import read_reference
from lmviz.registry.recorded import open_recordings
from lmviz.registry.reference import Reference, Title
from lmviz.registry.run import RunModel
from lmviz.services.services import Services
from lmviz.ui import model_field, state, widgets
from lmviz.ui.text import Translator


def listed(options: Collection[str], chosen: str) -> list[str]:
    """What there is to choose from; what a link names beside it is there too."""
    return list(options) if chosen in options else [*options, chosen]


def one_of(label: str, names: Mapping[str, str], chosen: str, bound: Mapping[str, Any], **look: Any) -> None:
    """A choice from a list of names in the reader's language; what a link names beside them keeps its own name."""
    widgets.selectbox(label, listed(names, chosen), format_func=lambda one: names.get(one, one), **look, **bound)


def model(services: Services, t: Translator, chosen: Reference | None, without: str = "", /, **and_then: Any) -> None:
    """The model that a page is about, one at hand or the folder of another; `and_then`
    lets go of what belonged to the one before.

    Args:
        without: what it is called to have no model, on a page that can do without.
    """
    opens = model_field.opens(services)
    at_hand = [*services.models.sample_names(), *services.models.folder_names()]
    widgets.selectbox(
        t("top.model"),
        listed(["", *at_hand] if without else at_hand, "" if chosen is None else str(chosen)),
        label_visibility="collapsed",
        width=170 if isinstance(chosen, OfWeights) else 230,
        accept_new_options=True,
        format_func=lambda written: model_name(services, t, read_reference(written)) if written else without,
        **state.bound("model", only_if=lambda one: one is None or opens(one), **and_then),
    )


def with_runs(services: Services, t: Translator, most: int, without: str = "") -> dict[str, str]:
    """The samples, and the latest trainings as they were last saved, by what opens them: their names on screen.

    Args:
        without: a run that is left out.
    """
    at_hand = (*services.models.sample_names(), *services.models.folder_names())
    found: list[Reference] = [read_reference(name) for name in at_hand]
    with suppress(UserError):  # the training page says what is wrong with the folder of runs
        for run in services.models.runs.all()[:most]:
            if run.id != without and (stops := services.models.runs.stops(run.id)):
                found.append(RunModel(run.id, stops[-1].step))
    return {str(model): model_name(services, t, model) for model in found}


def attached(services: Services, t: Translator) -> dict[str, str]:
    """What the person who started the server has attached or opened, by what opens it: the names on screen."""
    return {str(model): model_name(services, t, model) for model in (*all_attached(), *open_recordings())}


def model_name(services: Services, t: Translator, model: Reference) -> str:
    """What a model is called on screen."""
    return _in_words(t, services.models.title(model))


def _in_words(t: Translator, title: Title) -> str:
    if not title.sentence or not t.has(title.sentence):
        return title.plain
    return t(title.sentence, **{key: _detail(t, detail) for key, detail in title.details.items()})


def _detail(t: Translator, detail: object) -> object:
    if isinstance(detail, Title):
        return _in_words(t, detail)
    return t.integer(detail) if isinstance(detail, int) else detail


def section(
    words: str,
    t: Translator,
    names: Iterable[str],
    *,
    part: str = "section",
    label: str = "",
    width: Any = "content",
    **and_then: Any,
) -> None:
    """Which section of a page is shown, or which way of looking; `and_then` lets go of what belonged to the one before.

    Args:
        words: how the keys of their names begin in the locale, "debug." say.
        part: of the view, that is chosen.
        label: the key of what they are together; default: the part's, beside their names.
    """
    widgets.segmented_control(
        t(label or f"{words}{part}"),
        list(names),
        format_func=lambda name: t(f"{words}{name}"),
        label_visibility="collapsed",
        required=True,
        width=width,
        **state.bound(part, **and_then),
    )
