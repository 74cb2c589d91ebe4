"""Paddock's public Python API: names only."""
