"""These files are no tests: one copies them into the package."""

collect_ignore_glob = ["*.py"]
