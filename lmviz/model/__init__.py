"""Plain PyTorch models, one file per architecture, and what loads them: the lesson itself."""
