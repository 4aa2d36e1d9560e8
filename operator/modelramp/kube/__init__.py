"""The only place that talks to the Kubernetes API server: reads, server-side applies, watches."""
