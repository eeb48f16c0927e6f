"""The list of papers on a terminal, in Markdown and in a notebook."""

import pytest
from markdown_it import MarkdownIt

from skpapers import papers
from skpapers._paper_table import PaperRow, PaperTable, heading_anchor

ROW = PaperRow(
    key="one",
    title="One <Two>: of Max-Margin Trees",
    venue="VENUE 2000",
    url="https://example.org/a",
    code=None,
    use="trees & forests",
    names=("OneClassifier", "OneRegressor"),
    verdict="mixed: 1 of 2 shown",
)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_text_names_every_paper_and_estimator_and_fits(width):
    text = papers.table().to_text(width)
    assert max(map(len, text.splitlines())) <= width
    words = text.replace(",", " ").split()
    for paper in papers.PAPERS:
        assert set(paper.estimator_names) <= set(words)
        assert paper.url in words
        assert set(paper.use.replace(",", " ").split()) <= set(words)
    assert repr(papers.table()) == papers.table().to_text()


def test_text():
    assert PaperTable((ROW,)).to_text(50).splitlines() == [
        "One <Two>: of Max-Margin Trees, VENUE 2000",
        "  for      trees & forests",
        "  classes  OneClassifier, OneRegressor",
        "  claims   mixed: 1 of 2 shown",
        "  paper    https://example.org/a",
    ]


def test_markdown_links_estimators_to_their_guide_and_verdicts_to_the_measurements():
    text = PaperTable((ROW,)).to_markdown()
    assert "[`OneRegressor`](docs/guide/one.md)" in text
    assert "[mixed: 1 of 2 shown](docs/reproduction.md#one-two-of-max-margin-trees)" in text
    assert "(guide/one.md)" in PaperTable((ROW,)).to_markdown("")
    html = MarkdownIt("commonmark").enable("table").render(papers.table().to_markdown())
    assert html.count("<tr>") == len(papers.PAPERS) + 1


def test_html_escapes():
    html = PaperTable((ROW,))._repr_html_()
    assert "One &lt;Two&gt;: of Max-Margin Trees</a>, VENUE 2000" in html
    assert "trees &amp; forests" in html
    assert "<code>OneClassifier</code>" in html


def test_anchors_are_those_of_the_reproduction_page():
    assert heading_anchor("SAM: A (B) Two-Layer, c?") == "sam-a-b-two-layer-c"
