"""Messages with roles, as the model really reads them: one text, cut into tokens."""

from lmviz.ui import state
from lmviz.ui.chat.page import page
from lmviz.ui.chat.view import View

page(state.here(View))
