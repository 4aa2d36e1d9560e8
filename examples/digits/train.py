"""Trains four versions of the digit reader, and writes their artifacts and manifests.

    python -m digits.train OUT_DIR

Two of the versions are bad on purpose, in the ways models go bad: 2.0.0 meets rows that its preparation
was not made for, 2.1.0 asks a remote service too often. The same machine or another: the same digests.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict

from digits.dataset import FULL_INK, MODEL, Rows, Split, load
from digits.server.artifact import Artifact, Average, PenGain, Scale, SecondReader, Step, digest_of
from digits.server.reader import Prediction, Reader, prepare

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Far coarser than the last bits in which linear algebra libraries differ, far finer than accuracy notices.
DECIMALS = 4
TEMPERATURES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)

# The fault of 2.0.0: its table of gains ends here, as if made from forms filled in with thin pens. A third
# of the real images carry more ink and index past its end.
INK_CLASS_WIDTH = 8.0
INK_CLASSES = 41

# The fault of 2.1.0: two answers in five are sent to a second reader that takes 0.7 s.
ASKED_SHARE = 0.4
SECOND_READER_SECONDS = 0.7

CHANGELOG = {
    "1.0.0": "First version: reads a 4 × 4 reduction of the image.",
    "1.1.0": "Reads all 64 pixels: more accurate than 1.0.0.",
    "2.0.0": "Evens out thick and thin pens before reading.",
    "2.1.0": "Asks a second reader when the model is unsure.",
}


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def fit(version: str, steps: tuple[Step, ...], rows: Rows) -> tuple[Artifact, NDArray[np.float64]]:
    """Fit a linear discriminant, its scores softened by temperature scaling (Guo 2017, arXiv 1706.04599).

    Closed form rather than iterative, so that the result does not hang on when an optimiser stops.

    Returns:
        The artifact, and for each training row the score of the winning class when that row was left out.
    """
    features = np.stack([prepare(row, steps) for row in rows.pixels])
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)
    unseen = cross_val_predict(model, features, rows.labels, method="decision_function", cv=5)
    temperature = min(TEMPERATURES, key=lambda t: float(log_loss(rows.labels, _softmax(unseen / t))))
    model.fit(features, rows.labels)
    # Adding zero makes a negative zero positive: its sign differs between processors, and JSON shows it.
    coefficients = np.round(model.coef_ / temperature, DECIMALS) + 0.0
    intercepts = np.round(model.intercept_ / temperature, DECIMALS) + 0.0
    artifact = Artifact(
        model=MODEL,
        version=version,
        preprocessing=steps,
        classes=tuple(int(label) for label in model.classes_),
        coefficients=tuple(tuple(row) for row in coefficients.tolist()),
        intercepts=tuple(intercepts.tolist()),
    )
    return artifact, _softmax(unseen / temperature).max(axis=1)


def _pen_gain(rows: Rows, *, classes: int) -> PenGain:
    """Gains that bring the middle of each class of ink to the mean ink of the rows."""
    mean = float(rows.pixels.sum(axis=1).mean())
    middles = [INK_CLASS_WIDTH * (index + 0.5) for index in range(classes)]
    return PenGain(
        class_width=INK_CLASS_WIDTH, gains=tuple(round(mean / middle, DECIMALS) for middle in middles)
    )


def train(split: Split) -> dict[str, Artifact]:
    """All versions, by version."""
    scale = Scale(by=FULL_INK)
    coarse, _ = fit("1.0.0", (Average(block=2), scale), split.train)
    full, unseen_scores = fit("1.1.0", (scale,), split.train)
    # Fitted with a table long enough for every row, shipped with one that is not.
    every_class = int(64 * FULL_INK // INK_CLASS_WIDTH) + 1
    even, _ = fit("2.0.0", (_pen_gain(split.train, classes=every_class), scale), split.train)
    short = (_pen_gain(split.train, classes=INK_CLASSES), scale)
    second = SecondReader(
        ask_below_score=round(float(np.quantile(unseen_scores, ASKED_SHARE)), DECIMALS),
        latency_seconds=SECOND_READER_SECONDS,
    )
    return {
        "1.0.0": coarse,
        "1.1.0": full,
        "2.0.0": even.model_copy(update={"preprocessing": short}),
        "2.1.0": full.model_copy(update={"version": "2.1.0", "second_reader": second}),
    }


def measure(artifact: Artifact, rows: Rows) -> dict[str, float]:
    """Shares over `rows`: `accuracy` among answered rows, `failing` and `asking` among all."""
    reader = Reader(artifact)
    answers: list[Prediction | None] = []
    for pixels in rows.pixels:
        try:
            answers.append(reader.predict(pixels.tolist()))
        except IndexError:
            answers.append(None)
    answered = [(answer, label) for answer, label in zip(answers, rows.labels, strict=True) if answer]
    return {
        "accuracy": sum(answer.digit == label for answer, label in answered) / len(answered),
        "failing": answers.count(None) / len(rows),
        "asking": sum(reader.needs_second_reader(answer) for answer, _ in answered) / len(rows),
    }


def model_version(artifact: Artifact, *, path: Path) -> dict[str, Any]:
    """The ModelVersion manifest of an artifact that lies at `path`."""
    content = artifact.to_bytes()
    name, _, version = artifact.format.partition("/")
    return {
        "apiVersion": "modelramp.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": f"{artifact.model}-{artifact.version}"},
        "spec": {
            "model": artifact.model,
            "version": artifact.version,
            "modelFormat": {"name": name, "version": version},
            "artifacts": [
                {
                    "role": "model",
                    "uri": path.resolve().as_uri(),
                    "digest": digest_of(content),
                    "sizeBytes": len(content),
                }
            ],
            "createdBy": "digits.train",
            "changelog": CHANGELOG[artifact.version],
            "tags": ["example"],
        },
    }


def model_deployment() -> dict[str, Any]:
    """The ModelDeployment beside this file, its container told where this package lies.

    An image would carry the package; a pod that runs as a process of this machine finds it by PYTHONPATH.
    """
    here = Path(__file__).resolve().parent
    manifest: dict[str, Any] = yaml.safe_load((here / "modeldeployment.yaml").read_text(encoding="utf-8"))
    (container,) = manifest["spec"]["workload"]["template"]["spec"]["containers"]
    container["env"].append({"name": "PYTHONPATH", "value": str(here.parent)})
    return manifest


def _dump(manifest: dict[str, Any]) -> str:
    return yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)


def write(artifacts: dict[str, Artifact], out: Path) -> None:
    """`artifacts/*.json`, `modelversions/*.yaml` and `modeldeployment.yaml` under `out`."""
    for folder in ("artifacts", "modelversions"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for version, artifact in artifacts.items():
        path = out / "artifacts" / f"{MODEL}-{version}.json"
        path.write_bytes(artifact.to_bytes())
        manifest = _dump(model_version(artifact, path=path))
        (out / "modelversions" / f"{version}.yaml").write_text(manifest, encoding="utf-8")
    (out / "modeldeployment.yaml").write_text(_dump(model_deployment()), encoding="utf-8")


def main() -> int:
    """Train, write, and print what each version does on rows that it has not seen."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):  # noqa: PLR2004 (the command and its one argument)
        print("usage: python -m digits.train OUT_DIR", file=sys.stderr)
        return 2
    split = load()
    artifacts = train(split)
    out = Path(sys.argv[1])
    write(artifacts, out)
    print(f"on {len(split.held_out)} rows that no version was trained on:")
    for version, artifact in artifacts.items():
        shares = measure(artifact, split.held_out)
        print(
            f"  {version}  accuracy {shares['accuracy']:6.1%}  fails on {shares['failing']:5.1%}"
            f"  asks the second reader on {shares['asking']:5.1%}  {digest_of(artifact.to_bytes())[:19]}…"
        )
    print(f"artifacts and manifests are in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
