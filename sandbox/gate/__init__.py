"""The gate: from what a sandbox wrote to what is approved and written to the checkout."""
