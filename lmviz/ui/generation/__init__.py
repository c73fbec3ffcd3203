"""The generation page: how a text is written on, token by token."""
