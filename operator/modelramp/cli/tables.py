"""Reads columns of numbers from a file: CSV, and Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import math
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelramp.cli.failure import ExitCode, Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_NAMES = 12
_MISSING = frozenset({"", "nan", "null", "none", "na", "n/a"})


@dataclass(slots=True)
class Column:
    """The numbers of one column, and how many cells had none."""

    values: array[float] = field(default_factory=lambda: array("d"))
    missing: int = 0

    def add(self, value: float | None) -> None:
        """One more cell; None and NaN are missing.

        Raises:
            ValueError: It is infinite.
        """
        if value is None or math.isnan(value):
            self.missing += 1
        elif math.isinf(value):
            raise ValueError(f"{value} is not a finite number")
        else:
            self.values.append(value)


def read(path: Path, columns: Sequence[str]) -> dict[str, Column]:
    """The columns of that name; the file's ending says its form (``.csv``, ``.parquet``).

    Raises:
        Failure: The file cannot be read, a column is not there, or a cell is not a number.
    """
    readers = {".csv": _csv, ".parquet": _parquet, ".pq": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise Failure(f"{path}: only .csv and .parquet files can be read", code=ExitCode.USAGE)
    try:
        return reader(path, columns)
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror or error}", code=ExitCode.USAGE) from error


def _csv(path: Path, columns: Sequence[str]) -> dict[str, Column]:
    found = {name: Column() for name in columns}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            _need(path, columns, header)
            places = [(header.index(name), name, found[name]) for name in found]
            for row in rows:
                if not row:
                    continue
                if len(row) != len(header):
                    raise Failure(
                        f"{path}, line {rows.line_num}: {len(row)} cells, but the header has {len(header)}",
                        code=ExitCode.USAGE,
                    )
                for place, name, column in places:
                    _cell(path, f"line {rows.line_num}", name, column, row[place])
    except (UnicodeDecodeError, csv.Error) as error:
        raise Failure(f"{path} is not CSV in UTF-8: {error}", code=ExitCode.USAGE) from error
    return found


def _parquet(path: Path, columns: Sequence[str]) -> dict[str, Column]:
    try:
        # heavy, and optional: CSV and Prometheus do without
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise Failure(
            f"{path}: reading Parquet needs pyarrow, which is not installed; install it into the environment "
            "of modelramp: pip install pyarrow",
            code=ExitCode.USAGE,
        ) from error
    found = {name: Column() for name in columns}
    try:
        with parquet.ParquetFile(path) as file:
            _need(path, columns, file.schema_arrow.names)
            row = 0
            for batch in file.iter_batches(columns=list(columns)):
                for name, column in found.items():
                    for number, value in enumerate(batch.column(name).to_pylist(), row + 1):
                        _cell(path, f"row {number}", name, column, value)
                row += batch.num_rows
    except pa.ArrowException as error:
        raise Failure(f"{path} is not Parquet: {error}", code=ExitCode.USAGE) from error
    return found


def _need(path: Path, columns: Iterable[str], header: Sequence[str]) -> None:
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise Failure(f"{path}: the column {twice} is there twice", code=ExitCode.USAGE)
    for name in columns:
        if name not in header:
            there = ", ".join(header[:_NAMES]) + (", …" if len(header) > _NAMES else "")
            raise Failure(
                f"{path} has no column {name!r}; it has {there or 'none at all'}", code=ExitCode.USAGE
            )


def _cell(path: Path, where: str, name: str, column: Column, value: object) -> None:
    if value is None or (isinstance(value, str) and value.strip().lower() in _MISSING):
        column.add(None)
        return
    try:
        column.add(float(str(value)))
    except ValueError:
        raise Failure(
            f"{path}, {where}, column {name}: {value!r} is not a finite number; leave the cell empty where "
            "there is none",
            code=ExitCode.USAGE,
        ) from None
