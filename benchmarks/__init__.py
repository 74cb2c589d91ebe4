"""How fast it is, as ratios against raw Docker, git and cp, taken in turn within one run on one machine."""
