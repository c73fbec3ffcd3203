"""What comes after "The cat sits on the"? The first thing that a visitor sees."""

import streamlit as st

from lmviz.ui import shell, state
from lmviz.ui.first import asking
from lmviz.ui.first.view import FirstView

view = state.here(FirstView)

shell.look("first")
above = st.container(key="first_top")
with st.container(key="first"), shell.sentences(view.t):
    asking.question(view)
    asking.own(view)
    asking.doors(view)
with above, shell.top(view):  # the question is painted before what one may set
    pass
