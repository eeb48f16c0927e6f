"""A fitted model in files, with a script that predicts with it."""

from __future__ import annotations

from pathlib import Path

import joblib
from sklearn.pipeline import Pipeline

_SCRIPT = '''\
"""Predict with {name}: python {file} TABLE.csv > predictions.csv

TABLE.csv has the columns {columns}.
"""
import sys
from pathlib import Path

import joblib  # a file of joblib can run any code: use your own only
import pandas as pd

model = joblib.load(Path(__file__).with_name("model.joblib"))
table = pd.read_csv(sys.argv[1])
pd.DataFrame({{"prediction": model.predict(table)}}).to_csv(sys.stdout, index=False)
'''
_MANY = 8


def save_model(model: Pipeline, folder: Path, name: str) -> list[str]:
    """Write ``model.joblib``, ``model.skops`` if skops is installed and can write it, and ``predict.py``.

    Parameters
    ----------
    model : Pipeline
        Of :func:`refit`.
    folder : Path
        Exists.
    name : str
        Of the method.

    Returns
    -------
    notes : list of str
        Why a file is missing.
    """
    joblib.dump(model, folder / "model.joblib")
    columns = list(model["columns"].kinds)
    shown = ", ".join(columns[:_MANY]) + (f" and {len(columns) - _MANY} more" if len(columns) > _MANY else "")
    script = _SCRIPT.format(name=name, file="predict.py", columns=shown.replace("\\", "\\\\").replace('"""', "'''"))
    (folder / "predict.py").write_text(script, encoding="utf-8")
    try:
        from skops.io import dump
    except ImportError:
        return ["model.skops is not written: skops is not installed"]
    try:
        dump(model, folder / "model.skops")
    except Exception as error:
        (folder / "model.skops").unlink(missing_ok=True)
        return [f"model.skops is not written: {type(error).__name__}: {str(error).splitlines()[0]}"]
    return []
