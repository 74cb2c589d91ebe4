"""What the model can call: one small file a tool."""
