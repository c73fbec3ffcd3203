"""Every model that can be asked for: by what it is asked for, how it is opened, and how it reads a text."""
