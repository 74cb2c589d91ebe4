"""What of a checkout a sandbox must not see: finding it, keeping account of it, and laying something over it."""
