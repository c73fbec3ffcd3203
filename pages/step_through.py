"""Step through one forward pass, and ask any cell where its number comes from."""

from lmviz.ui import state, step_through

step_through.page(state.view())
