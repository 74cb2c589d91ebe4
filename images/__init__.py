"""Which images exist, each pinned; how they are built without a registry."""
