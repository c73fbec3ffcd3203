"""The step-through page in parts: the row on top, the debugger, what its events do, the tools."""
