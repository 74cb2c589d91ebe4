"""The program inside the sandbox: sent as text, never imported by host code.

Its files are small and import each other by their full names; `sandbox.launch` sends them in this order, and a line of
Python in the container makes modules of them again.
"""

ORDER = ("wire", "rights", "limits", "processes", "call", "files", "helper", "main")
