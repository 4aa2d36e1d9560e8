"""A revision rendered as objects that run it, and read back. One file a kind of workload."""
