"""Where the numbers come from: a port to a metrics provider, its adapters, and what the counters mean."""
