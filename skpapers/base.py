"""What every public estimator shares: the link in scikit-learn's HTML diagram. Think twice before adding here."""

from skpapers.papers import PAPERS


class DocLinkMixin:
    """Let the question mark of the HTML diagram open the estimator's paper."""

    _doc_link_module = "skpapers"
    _doc_link_template = "{paper_url}"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        name = type(self).__name__
        return {"paper_url": next(paper.url for paper in PAPERS if name in paper.estimator_names)}
