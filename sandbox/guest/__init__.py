"""The program inside the sandbox: sent as text, never imported by host code."""
