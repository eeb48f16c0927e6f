"""Signatures in the API pages: types are named as in the docstrings, not by the expansion of numpy's aliases."""

import re

from docutils import nodes
from numpy.typing import ArrayLike
from sphinx import addnodes
from sphinx.util.typing import stringify_annotation

# "array-like" is not a Python name, so it is inserted after Sphinx has parsed the signature.
_ALIAS = "ArrayLike"
_WORD = "array-like"
_EXPANDED = [stringify_annotation(ArrayLike, mode) for mode in ("smart", "fully-qualified-except-typing")]
_NDARRAY = re.compile(
    r"~?(?:numpy\.)?ndarray\[tuple\[[^\[\]]*\], ~?(?:numpy\.)?dtype\[[^\[\]]*\]\]|NDArray(\[[^\[\]]*\])?"
)


def shorten(signature: str | None) -> str | None:
    """Replace the expansion of numpy's aliases by their names."""
    if signature is None:
        return None
    for expanded in _EXPANDED:
        signature = signature.replace(expanded, _ALIAS)
    return _NDARRAY.sub("ndarray", signature)


def process_signature(app, what, name, obj, options, signature, returns):
    """Shorten the signature and what it returns."""
    return shorten(signature), shorten(returns)


def say_array_like(app, doctree):
    """Replace the alias by "array-like"."""
    for signature in doctree.findall(addnodes.desc_signature):
        for text in list(signature.findall(nodes.Text)):
            if text == _ALIAS:
                text.parent.replace(text, nodes.Text(_WORD))
