"""A place where commands run and files change, apart from the host; and the gate back."""
