"""The laboratory of tokenizers: learn one merge by merge, take a vocabulary apart, write a chat as a model reads it."""
