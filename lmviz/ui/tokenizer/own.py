"""A tokenizer of the visitor's own: its files stay in the session, for all pages, and are in no link."""

from __future__ import annotations

import streamlit as st

from lmviz.errors import UserError
from lmviz.services.services import Services
from lmviz.services.tokenizers import FILES, UploadedTokenizer
from lmviz.ui import state
from lmviz.ui.streamlit_words import file_uploader
from lmviz.ui.text import Translator

FILE = "file"  # its name among the tokenizers
_KEPT = "tokenizer.files"


def upload(t: Translator, key: str) -> None:
    """Ask for the files. A JSON file of another name than those known is taken for the tokenizer.json."""
    found = file_uploader(
        t,
        t("tokenizer.file"),
        ["json", "jinja"],
        accept_multiple_files=True,
        key=key,
        help=t("tokenizer.file_help"),
    )
    if found:
        state.keep(_KEPT, {one.name if one.name in FILES else FILES[0]: one.getvalue() for one in found})


def uploaded(services: Services, t: Translator) -> UploadedTokenizer | None:
    """The tokenizer in the files; None, and a word on what to do, while there is none."""
    files = state.remember(_KEPT, {})
    if not files:
        st.info(t("tokenizer.file_first"))
        return None
    if FILES[0] not in files:
        raise UserError("There is no file {file} in {folder}.", file=FILES[0], folder=", ".join(files))
    return services.tokenizers.read_tokenizer(files)
