"""Signatures in the API pages: types by the words of the docstrings, not by what numpy's aliases stand for."""

import re

from docutils import nodes
from numpy.typing import ArrayLike
from sphinx import addnodes
from sphinx.util.typing import stringify_annotation

# "array-like" is no name of Python, so that it enters after Sphinx has taken the signature apart.
_ALIAS, _WORD = "ArrayLike", "array-like"
_EXPANDED = [stringify_annotation(ArrayLike, mode) for mode in ("smart", "fully-qualified-except-typing")]
_NDARRAY = re.compile(
    r"~?(?:numpy\.)?ndarray\[tuple\[[^\[\]]*\], ~?(?:numpy\.)?dtype\[[^\[\]]*\]\]|NDArray(\[[^\[\]]*\])?"
)


def shorten(signature: str | None) -> str | None:
    """Put the names of numpy's aliases back where a signature has what they stand for."""
    if signature is None:
        return None
    for expanded in _EXPANDED:
        signature = signature.replace(expanded, _ALIAS)
    return _NDARRAY.sub("ndarray", signature)


def process_signature(app, what, name, obj, options, signature, returns):
    """Shorten the signature and what it returns."""
    return shorten(signature), shorten(returns)


def say_array_like(app, doctree):
    """Write the word of the docstrings for the alias."""
    for signature in doctree.findall(addnodes.desc_signature):
        for text in list(signature.findall(nodes.Text)):
            if text == _ALIAS:
                text.parent.replace(text, nodes.Text(_WORD))
