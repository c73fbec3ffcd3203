"""A trainer: a process that takes runs from a folder's queue, one after the other. The app starts it; nobody else need.

python -m lmviz.train.work FOLDER WORKER LIMITS_AS_JSON
"""

from __future__ import annotations

import sys
from pathlib import Path

from lmviz.train.limits import limits_from
from lmviz.train.work.worker import work

work(Path(sys.argv[1]), sys.argv[2], limits_from(sys.argv[3]))
