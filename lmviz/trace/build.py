"""From what was noted while a model ran to a story: names, addresses, source, axes, and the tree of calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

from lmviz.trace.entries import Entry, entries_of, meanings
from lmviz.trace.given import named_tensors
from lmviz.trace.mode import Recorder
from lmviz.trace.names import Names
from lmviz.trace.naming_axes import name_axes
from lmviz.trace.places import Call, Run, site_of_error
from lmviz.trace.slots import Slot
from lmviz.trace.source import SourceSpan
from lmviz.trace.step import ModuleCall, Role, Statement, Step, Story, Trace, Value
from lmviz.trace.survey import Survey

_building = threading.Lock()
