"""One file as both found it, as the agent left it (three hunks), and as the user did."""

TEXT = "".join(f"line {number}\n" for number in range(1, 31))
AGENT = TEXT.replace("line 3\n", "LINE 3\n").replace("line 15\n", "LINE 15\n").replace("line 28\n", "LINE 28\n")
USER = TEXT.replace("line 9\n", "line nine\n")
