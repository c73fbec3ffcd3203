"""`python -m lmviz.site OUT`: builds the site. The exit code is 0, or 2 for wrong use."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lmviz.errors import UserError
from lmviz.model.files import MEGABYTE
from lmviz.stopped import stoppable


def main(arguments: list[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    return stoppable(lambda: _made(asked.out, asked.quick))


def _made(out: Path, quick: bool) -> int:
    try:
        from lmviz.site.build import FULL, QUICK, build
    except ModuleNotFoundError as error:
        if error.name != "markdown_it":
            raise
        print('The site needs markdown-it-py, which is not installed: pip install "lmviz[site]".', file=sys.stderr)
        return 2
    try:
        paths = build(out, QUICK if quick else FULL)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    size = sum(path.stat().st_size for path in paths) / MEGABYTE
    print(f"Written: {out} ({len(paths)} files, {size:.0f} MB). Open {out / 'index.html'}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m lmviz.site", description=__doc__)
    parser.add_argument(
        "out", type=Path, help="the folder of the site: a new one, an empty one, or a site built before"
    )
    parser.add_argument("--quick", action="store_true", help="only the smallest models, one bug and no training")
    return parser


if __name__ == "__main__":
    sys.exit(main())
