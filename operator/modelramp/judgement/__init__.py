"""Are these numbers acceptable? Sequential tests on counts, and verdicts with their evidence (pure)."""
