"""How fast it is, as ratios against raw Docker, git, cp and peers, taken in turn within one run on one machine."""
