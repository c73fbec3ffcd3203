"""The floor of a step in Streamlit: a fragment with a button and a counter, nothing else."""

import gc

import streamlit as st

if "n" not in st.session_state:
    gc.freeze()
    st.session_state.n = 0


@st.fragment
def step() -> None:
    if st.button("Next", shortcut="Right", key="next"):
        st.session_state.n += 1
    st.html(f"<span class='marker'>{st.session_state.n}</span>")


step()
