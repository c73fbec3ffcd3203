"""Where one types a text for a model: how such a text is written, said in a line, and done where it can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint
from lmviz.model.own_text import as_known, start_mark
from lmviz.registry.reference import Reference
from lmviz.services.services import Services
from lmviz.ui import state, widgets
from lmviz.ui.text import Translator, code, foreign, shortened, visible


def field(services: Services, t: Translator, model: Reference, name: str, shown: str, label: str, **look: Any) -> None:
    """A field for a text that is one part of the present place, with how such a text is written below it."""
    if "width" in look:
        look["width"] = widgets.px(look["width"])
    with st.container(width=look.get("width", "stretch"), gap=None):
        st.text_input(label, **look, **state.bound(name, shown, known=known(services, model)))
        hint(services, t, model, shown, lambda text: state.go(**{name: text}))


def known(services: Services, model: Reference) -> Callable[[str], str]:
    """Writes what is typed as the model knows it: in small letters, say."""

    def written(typed: str) -> str:
        checkpoint = _checkpoint(services, model)
        return typed if checkpoint is None else as_known(checkpoint.tokenizer, typed)

    return written


def typed(services: Services, page: type[Any], key: str) -> str:
    """What stands in a field of a page, as the model that the page shows knows it."""
    written: str = st.session_state[key]
    return known(services, state.view(page).model)(written)


@widgets.placeholder()
def hint(services: Services, t: Translator, model: Reference, text: str, read: Callable[[str], object]) -> None:
    """What the model was trained on and how a text for it begins; the text with the model's start mark, if it lacks it.

    In front of a room, only what a text lacks is said.

    Args:
        read: what happens to the text with its mark.
    """
    checkpoint = _checkpoint(services, model)
    if checkpoint is None:
        return
    card = services.models.card(checkpoint, t.language)
    mark = start_mark(checkpoint.card.prompts)
    lacks = mark != "" and text != "" and not text.startswith(mark)
    if card.begins and not lacks and not state.presenting():
        st.caption(foreign(card.begins))
    if lacks:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"{foreign(card.begins)} {t('own_text.lacks', mark=code(mark))}".strip(), width="content")
            better = mark + as_known(checkpoint.tokenizer, text)
            st.button(
                t("own_text.with_mark", text=code(shortened(visible(better), 40))),
                key="own_text.with_mark",
                type="tertiary",
                icon=":material/subdirectory_arrow_right:",
                on_click=state.unbroken(lambda: read(better)),
            )


def _checkpoint(services: Services, model: Reference) -> Checkpoint | None:
    """The model, if it opens and reads texts."""
    if not model.reads:
        return None
    try:
        return services.models.checkpoint(model)
    except UserError:
        return None
