"""The command line: the composition root, what is drawn, who is asked."""
