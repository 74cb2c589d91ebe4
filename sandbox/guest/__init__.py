"""The program inside the sandbox. It lies in the toolbox (sandbox.toolbox); host code never imports it."""
