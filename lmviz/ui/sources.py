"""What each page follows: the documents that lmviz was made from, and the papers."""

from __future__ import annotations

import streamlit as st

from lmviz.debug.sources import (
    AINSLIE,
    BA,
    HOLTZMAN,
    KARPATHY,
    RADFORD,
    RMS,
    SENNRICH,
    SHAZEER,
    SU,
    TOUVRON,
    VASWANI,
    Source,
    arxiv,
)
from lmviz.ui.text import Translator

_SMALL_EVER = Source("Clemylia, Small-ever", "https://huggingface.co/Clemylia/Small-ever")
_LESSON = Source("Leçon 5 : Mon premier LLM", "")
_COURSE = Source("F. Rioult, Application des LLM", "")
_GUIDE = Source("Small Language Models for Dummies", "")
_MICROGPT = Source(
    "Karpathy, microgpt.py", "https://gist.github.com/karpathy/8627fe009c40f57531cb18360106ce95"
)  # the lesson's own source
CHATML = Source("ChatML", "https://gist.github.com/edwardzjl/8df07c1f7140c9a3e2f48d33a8032090")
KINGMA, LOSHCHILOV = arxiv("Kingma & Ba 2015", "1412.6980"), arxiv("Loshchilov & Hutter 2019", "1711.05101")
FAN, KESKAR = arxiv("Fan et al. 2018", "1805.04833"), arxiv("Keskar et al. 2019", "1909.05858")
_NGUYEN = arxiv("Nguyen et al. 2024", "2407.01082")
MIKOLOV_A, MIKOLOV_B = arxiv("Mikolov et al. 2013a", "1301.3781"), arxiv("Mikolov et al. 2013b", "1310.4546")
BOJANOWSKI, DEVLIN = arxiv("Bojanowski et al. 2017", "1607.04606"), arxiv("Devlin et al. 2018", "1810.04805")
_JACOB = arxiv("Jacob et al. 2018", "1712.05877")
FOLLOWED: dict[str, tuple[Source, ...]] = {
    "step_through": (_SMALL_EVER, _LESSON, VASWANI, RADFORD, BA, _MICROGPT, TOUVRON, SU, AINSLIE, RMS, SHAZEER),
    "course": (_LESSON, _COURSE, _GUIDE, _SMALL_EVER),
    "training": (_LESSON, _GUIDE, _SMALL_EVER, KINGMA, LOSHCHILOV),
    "generation": (_COURSE, _LESSON, _GUIDE, HOLTZMAN, FAN, KESKAR, _NGUYEN),
    "tokenizer": (_COURSE, _GUIDE, SENNRICH, RADFORD),
    "chat": (_COURSE, CHATML),
    "embeddings": (_COURSE, MIKOLOV_A, MIKOLOV_B, BOJANOWSKI, DEVLIN),
    "quantisation": (_COURSE, _JACOB),
    "debugging": (_GUIDE, KARPATHY),
}


def footer(t: Translator, page: str) -> None:
    """One line: what the page follows, with links; none where nobody has said."""
    shown = [f"[{one.name}]({one.url})" if one.url else f"*{one.name}*" for one in FOLLOWED.get(page, ())]
    if shown:
        with st.container(key="follows"):
            st.caption(t("app.follows", sources=" · ".join(shown)))
