"""The chat page: what a chat model really reads."""
