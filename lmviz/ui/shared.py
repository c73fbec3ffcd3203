"""The one set of services that all sessions share. Importing this file imports torch and all that pages need."""

from __future__ import annotations

import gc
import threading

import streamlit as st

from lmviz.services.services import Services
from lmviz.ui.step_through.formulas import warm_up

_frozen = threading.Lock()


@st.cache_resource(show_spinner=False)
def services() -> Services:
    """The models and runs of this server, made when somebody first asks."""
    found = Services()
    warm_up()
    _freeze_imports()
    return found


def _freeze_imports() -> None:
    """Take what the heavy imports made out of the collector's sight, once, so that no click waits for a look at it.

    Nothing is collected before: imports leave next to nothing to collect, and looking for it takes a tenth of a second.
    """
    if _frozen.acquire(blocking=False):
        gc.freeze()
