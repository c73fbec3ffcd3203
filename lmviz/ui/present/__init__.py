"""Presenting to a room, on every page: large letters, what points at things, the link, and the teacher's notes."""
