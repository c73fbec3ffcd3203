"""What happens to a model that is asked for by name: it opens, or the one that worked stays and a sentence says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.hub import HubModel, NotDownloaded
from lmviz.registry.reference import Reference
from lmviz.services.downloads import Download
from lmviz.services.services import Services
from lmviz.ui import state, widgets
from lmviz.ui.text import Translator, code

_OTHER_PROMPT: Mapping[str, object] = {"prompt": None}  # the new model's own
LOOK_SECONDS = 0.5  # between two looks at a download
_REFUSED, _WANTED = "model.refused", "model.wanted"


def opens(services: Services) -> Callable[[Reference], bool]:
    """Whether a model opens; what stands in its way is kept for `notice`."""

    def tried(reference: Reference) -> bool:
        try:
            if reference.reads:
                services.models.checkpoint(reference)
            else:  # it brings its own recording, and has no model to give
                reference.version(services.models)
        except NotDownloaded:
            state.keep(_WANTED, reference)
        except UserError as error:
            state.keep(_REFUSED, error)
        else:
            return True
        return False

    return tried


@widgets.placeholder()
def notice(
    services: Services, t: Translator, model: Reference | None, anew: Mapping[str, object] = _OTHER_PROMPT
) -> None:
    """What became of a model that did not open, and a download that is offered or goes on.

    Where a link asks for a model that is not here, the page ends with the offer.

    Args:
        anew: what a page changes together with the model, once that is downloaded.
    """
    if error := state.take(_REFUSED, None):
        st.error(f"{t.error(error)} {t('model.accepted')}")
    wanted = state.remember(_WANTED, None)
    if wanted is None and isinstance(model, HubModel) and not _is_there(services, model):
        wanted = model
    if isinstance(wanted, HubModel):
        download = services.downloads.get(wanted)
        if download is None or download.error is not None:
            _offer(services, t, wanted, download)
        else:
            st.fragment(_progress, run_every=LOOK_SECONDS)(t, download, anew)
        if wanted == model:
            st.stop()  # there is nothing else to show


def _is_there(services: Services, model: Reference) -> bool:
    try:
        services.models.checkpoint(model)
    except NotDownloaded:
        return False
    except UserError:  # it is there, and something else is wrong with it, which its page says
        pass
    return True


def _offer(services: Services, t: Translator, wanted: HubModel, failed: Download | None) -> None:
    if failed is not None and failed.error is not None:
        st.error(t.error(failed.error))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(t("model.not_here", name=code(str(wanted))), width="content")
        st.button(
            t("model.download"),
            icon=":material/download:",
            key="model.download",
            on_click=services.downloads.begin,
            args=(wanted,),
        )
        st.button(t("model.leave"), key="model.leave", on_click=lambda: state.keep(_WANTED, None))
    st.caption(t("model.accepted"))


def _progress(t: Translator, download: Download, anew: Mapping[str, object]) -> None:
    """How far a download is; when it has ended, the model opens."""
    if download.is_done:
        if download.error is None:
            state.keep(_WANTED, None)
            state.go(model=download.model, **anew)
        st.rerun()
    size = "" if download.listing is None else t.integer(round(download.listing.n_bytes / 10**6))
    words = t("model.downloading", name=code(str(download.model)), megabytes=size) if size else t("model.asking")
    st.progress(download.share, text=words)
