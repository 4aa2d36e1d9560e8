"""The model server: loads one artifact, checks its digest, answers predictions, tells Prometheus."""
