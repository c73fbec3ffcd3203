"""lmviz: the entry point. Page set-up, language, navigation; nothing else."""

import streamlit as st

from lmviz.ui import shell

shell.frame()
shell.navigate(st.navigation)
