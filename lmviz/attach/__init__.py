"""One's own code under the debugger: from the shell, a script, a test or a notebook."""
