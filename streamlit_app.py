"""lmviz: the entry point. The server, and for every visitor the frame around the pages."""

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.scriptrunner import get_script_run_ctx

from lmviz.ui import server, shell
from lmviz.ui.course import bar

if get_script_run_ctx(suppress_warning=True) is None:  # nobody visits yet: `streamlit run` asks for the server
    around = [Middleware(server.KeptLinks), Middleware(server.Ahead)]
    app = st.App(__file__, lifespan=server.lifespan, middleware=around)
else:
    shell.navigate(st.navigation, bar.around)
