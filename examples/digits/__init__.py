"""An example model family: reading handwritten digits, from training to traffic."""
