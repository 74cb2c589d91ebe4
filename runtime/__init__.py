"""The agent: ask the model, check the call, run the tool, remember it."""
