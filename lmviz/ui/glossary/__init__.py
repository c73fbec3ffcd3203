"""The glossary: each term dotted wherever it stands, with what it means, and all of them to search."""
