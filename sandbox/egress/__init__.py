"""What may leave a sandbox over a network: it has none, only a proxy of ours, which decides request by request."""
