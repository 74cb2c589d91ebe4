"""The workspace: what the sandbox sees at the checkout's path, what that lies on, and what of git lies elsewhere."""
