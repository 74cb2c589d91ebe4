"""Commits made inside leave as commits, and approved files can become one: never `.git` as files."""
