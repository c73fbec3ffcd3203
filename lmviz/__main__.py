"""`python -m lmviz` is the command `lmviz`."""

import sys

from lmviz.cli import main

sys.exit(main())
