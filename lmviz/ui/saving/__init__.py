"""The pictures of a page as files: the browser writes them, from what it has drawn."""
