"""The result as Markdown and as HTML."""

from html.parser import HTMLParser

from markdown_it import MarkdownIt

from skpapers.comparison._markup import html, markdown
from tests.comparison._shown import ROWS, shown

ODD = ROWS[0] | {"method": "<script>a|b</script>", "notes": "failed: <b> & *x*"}


class Cells(HTMLParser):
    """Collects the cells of all tables, and the tags that were opened."""

    def __init__(self, text):
        super().__init__()
        self.rows = []
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_html_has_the_cells_of_the_screen():
    found = Cells(html(shown(metrics=["MAE"])))
    assert found.rows[0][:6] == [
        "method",
        "R2 ± sd",
        "baseline",
        "againstbaseline",
        "95 % interval",
        "againstreference",
    ]
    assert found.rows[1][:5] == ["SAM network", "0.917 ± 0.017", "SAM network, rho=0", "-0.0041", "[-0.0142, +0.0061]"]
    assert found.rows[7][:2] == ["SAM network", "skpapers.SAMMLPRegressor(device='cpu', random_state=0)"]
    assert len(found.rows) == 2 * (len(ROWS) + 1)


def test_html_escapes_what_users_name():
    text = html(shown([ODD], title="<i>t</i>", verdict="<u>", notes=("<s>",)))
    assert {"script", "i", "u", "s"}.isdisjoint(Cells(text).tags)
    assert "<script>a|b</script>" in Cells(text).rows[1]


def test_html_marks_the_side_of_an_interval():
    text = html(shown())
    assert '<td class="right better">[+0.0004, +0.0018]</td>' in text
    assert '<td class="right worse">[-0.550, -0.380]</td>' in text


def test_markdown_is_a_table():
    text = markdown(shown([ODD, *ROWS[1:]]))
    found = Cells(MarkdownIt("commonmark").enable("table").render(text).replace("\n", ""))
    assert found.rows[0][:2] == ["method", "R2 ± sd"]
    assert found.rows[1][0] == "<script>a|b</script>"
    assert found.rows[1][4] == "[-0.0142, +0.0061]"
    assert "skpapers.QuantBnBTree(max_depth=2)" in [cell for row in found.rows for cell in row]
    assert "**Best: SAM network and HistGradientBoosting cannot be told apart on these folds.**" in text
    assert "- Note: column 'id' looks like a row number." in text
