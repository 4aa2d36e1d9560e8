"""How an artifact turns 64 pixels into a digit and a score."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import numpy as np

from digits.server.artifact import Average, PenGain, Scale

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from digits.server.artifact import Artifact, Step

SIDE = 8
PIXELS = SIDE * SIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A digit, and the probability the model gives it."""

    digit: int
    score: float


def prepare(pixels: NDArray[np.float64], steps: Iterable[Step]) -> NDArray[np.float64]:
    """The features that `steps` make of the pixels: shape (64,) in, (features,) out."""
    features = pixels
    for step in steps:
        match step:
            case Average(block=block):
                blocks = features.reshape(SIDE // block, block, SIDE // block, block)
                features = blocks.mean(axis=(1, 3)).ravel()
            case Scale(by=by):
                features = features / by
            case PenGain(class_width=width, gains=gains):
                features = features * gains[int(features.sum() // width)]
            case _:
                assert_never(step)
    return features


class Reader:
    """A loaded model, ready to answer."""

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._coefficients = np.asarray(artifact.coefficients)
        self._intercepts = np.asarray(artifact.intercepts)

    def predict(self, pixels: Sequence[float]) -> Prediction:
        """Softmax over the linear scores of the classes; the most probable class wins."""
        features = prepare(np.asarray(pixels, dtype=np.float64), self._artifact.preprocessing)
        scores = self._coefficients @ features + self._intercepts
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        best = int(shares.argmax())
        return Prediction(digit=self._artifact.classes[best], score=float(shares[best]))

    def needs_second_reader(self, prediction: Prediction) -> bool:
        """Whether this version asks a remote service about this answer."""
        second = self._artifact.second_reader
        return second is not None and prediction.score < second.ask_below_score

    async def answer(self, pixels: Sequence[float]) -> Prediction:
        """The prediction, after the second reader where the version wants one.

        The second reader is a stand-in: it takes as long as the artifact says a remote one takes, and agrees.
        """
        prediction = self.predict(pixels)
        if self._artifact.second_reader and self.needs_second_reader(prediction):
            await asyncio.sleep(self._artifact.second_reader.latency_seconds)
        return prediction
