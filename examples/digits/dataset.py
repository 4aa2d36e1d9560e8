"""The one place that says which rows train the models and which rows are sent as requests.

The accuracy that training prints and the outcomes that traffic reports are only comparable when both
come from the same held-out rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 7
MODEL = "digits"
FULL_INK = 16.0
"""The highest value of a pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Images and what they show.

    Attributes:
        pixels: shape (rows, 64): 8 × 8 images row by row, each value in 0..16.
        labels: shape (rows,): the digit that a person wrote, 0..9.
    """

    pixels: NDArray[np.float64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Rows to train on, and rows that no model has seen."""

    train: Rows
    held_out: Rows


def load() -> Split:
    """The 1,797 images that ship with scikit-learn, halved by a fixed seed."""
    bunch = load_digits()
    parts = train_test_split(
        bunch.data, bunch.target, test_size=0.5, random_state=SEED, stratify=bunch.target
    )
    train_pixels, held_out_pixels, train_labels, held_out_labels = parts
    return Split(
        train=Rows(pixels=train_pixels, labels=train_labels.astype(np.int64)),
        held_out=Rows(pixels=held_out_pixels, labels=held_out_labels.astype(np.int64)),
    )
