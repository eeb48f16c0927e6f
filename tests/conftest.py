"""Environment of the tests, set before scientific packages are loaded."""

import os

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two test processes share two cores
os.environ.setdefault("SCIPY_ARRAY_API", "1")  # otherwise scikit-learn skips its check of array-API input
