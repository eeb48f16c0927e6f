"""The report, as text and in a browser."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from skpapers.comparison._report import breakable, render
from tests.comparison import _browser
from tests.comparison._report_cases import SCRIPT, make_comparison

_EMPTY = {"meta", "circle", "line", "rect", "path", "use", "wbr"}


class _Page(HTMLParser):
    """Open elements, identifiers and everything that could load something."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.counts = {}
        self.ids = []
        self.sources = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self._seen(tag, attributes)
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self._seen(tag, attributes)

    def handle_endtag(self, tag):
        if tag not in _EMPTY:
            assert self.open.pop() == tag

    def _seen(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        for name, value in attributes:
            assert not name.startswith("on")
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "data", "action"):
                self.sources.append(value)


@pytest.fixture(scope="module")
def regression():
    return make_comparison("regression")


@pytest.fixture(scope="module")
def panel():
    return make_comparison("regression", 240, dates=40, assets=True, scoring=("rank_ic", "r2"))


@pytest.fixture(scope="module")
def classes():
    return make_comparison("classification")


@pytest.fixture(scope="module", params=["regression", "panel", "classes"])
def text(request):
    return render(request.getfixturevalue(request.param), f"{request.param} {SCRIPT}")


def test_a_report_is_one_file_that_loads_nothing(text):
    page = _Page(text)
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert all(source.startswith("#") for source in page.sources)
    assert set(re.findall(r"https?://[^\"'\s<]*", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\((?!#)", text)


def test_strings_of_the_user_are_text(text):
    page = _Page(text)
    assert page.counts["script"] == 1
    assert "i" not in page.counts
    assert SCRIPT not in text
    assert "&lt;script&gt;throw 1&lt;/script&gt;" in text


def test_the_only_script_that_may_run_is_that_of_the_report(text):
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in text.replace("&#39;", "'")


def test_sections_follow_the_task(regression, panel, classes):
    both = ["methods", "folds", "predictions", "importances", "tree", "notes", "code"]
    for result, sections, words in (
        (regression, both, "Residuals"),
        (classes, both, "Calibration"),
        (panel, [*both[:2], "time", *both[2:]], "rank IC"),
    ):
        text = render(result, "name")
        assert re.findall(r'<h2 id="(\w+)">', text) == sections
        assert words in text


def test_a_comparison_without_a_single_fit_has_a_report(regression):
    empty = replace(regression.fits, outcomes={}, shown={})
    result = replace(regression, fits=empty)
    text = render(result, "name")
    page = _Page(text)
    assert page.open == []
    assert "figure" not in page.counts
    assert "against" not in text.partition("</table>")[0].rpartition("<table")[2]
    assert page.ids.count("folds") == 0
    assert "aria-sort" not in text.partition("</table>")[0].rpartition("<table")[2]


def test_a_comparison_made_in_python_has_a_call(regression):
    text = render(replace(regression, command="skpapers.compare(X, y, cv=3)"), "name")
    assert "import skpapers\n\nresult = skpapers.compare(X, y, cv=3)</code>" in text
    assert "skpapers.compare(X, y, cv=3, methods=[&#39;optimal tree&#39;])</code>" in text
    assert "python -m skpapers" not in text


def test_the_table_says_how_it_is_sorted_if_it_is(regression, classes):
    assert 'aria-sort="descending"' in render(regression, "name")
    assert 'aria-sort="ascending"' in render(classes, "name")
    result = replace(regression)
    # a row that lacks a fold comes after the others, whatever its score
    vars(result)["frame"] = regression.frame.iloc[[1, 0, 2, 3]].reset_index(drop=True)
    assert "aria-sort" not in render(result, "name").partition("</thead>")[0].rpartition("<thead>")[2]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("HistGradientBoosting", "Hist<wbr>Gradient<wbr>Boosting"),
        ("convex gated ReLU", "convex gated ReLU"),
        ("late_payments", "late_<wbr>payments"),
        ("<aB>", "&lt;aB&gt;"),
    ],
)
def test_a_line_may_break_between_the_words_of_a_name(name, shown):
    assert breakable(name) == shown


def test_two_reports_of_a_comparison_are_equal(panel):
    assert render(panel, "name") == render(panel, "name")


def test_the_size_does_not_grow_with_the_rows():
    small = render(make_comparison("regression", 2000, dates=200, assets=True), "name")
    large = render(make_comparison("regression", 20_000, dates=2000, assets=True), "name")
    assert len(large) < 1.3 * len(small)
    assert len(large) < 600_000


def test_a_wrong_path_is_named(regression, tmp_path):
    with pytest.raises(ValueError, match=r"is a folder; give the path of a file, such as .*report\.html"):
        regression.report(tmp_path)
    with pytest.raises(ValueError, match=r"the folder .*nowhere does not exist"):
        regression.report(tmp_path / "nowhere" / "report.html")


@pytest.fixture(scope="module")
def driver():
    browser = _browser.start()
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def files(regression, panel, classes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    results = {"regression": regression, "panel": panel, "classes": classes}
    return {name: result.report(folder / f"{name}.html", name=SCRIPT) for name, result in results.items()}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", ["regression", "panel", "classes"])
def test_a_browser_shows_the_report_without_complaint(driver, files, name, width, dark):
    _browser.show(driver, files[name], width=width, dark=dark)
    assert _browser.complaints(driver) == []
    assert driver.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert driver.find_element(By.TAG_NAME, "h1").text == SCRIPT
    channels = driver.execute_script(
        "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert (max(channels) < 60) if dark else (min(channels) > 230)


_CONTRASTS = """
const light = (text) => {
  const [r, g, b] = text.match(/[\\d.]+/g).map((v) => v / 255).map(
    (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const back = light(getComputedStyle(document.body).backgroundColor);
const painted = [...document.querySelectorAll("h1, p, .small, button, pre, .chart text, svg.figure text, figcaption")];
return painted.map((element) => {
  const style = getComputedStyle(element);
  const front = light(element instanceof SVGElement ? style.fill : style.color);
  return [(Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05), element.outerHTML.slice(0, 80)];
});
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_can_be_read_in_both_schemes(driver, files, dark):
    _browser.show(driver, files["panel"], dark=dark)
    contrasts = driver.execute_script(_CONTRASTS)
    assert len(contrasts) > 50
    assert [found for found in contrasts if found[0] < 4.5] == []


def _names(driver):
    return [cell.text.split("\n")[0] for cell in driver.find_elements(By.CSS_SELECTOR, "#comparison tbody th")]


def _button(driver, name):
    return driver.find_element(By.XPATH, f"//thead//button[normalize-space()='{name}']")


def _sorted(driver):
    found = driver.find_elements(By.CSS_SELECTOR, "thead th[aria-sort]")
    return [(cell.find_element(By.TAG_NAME, "button").text, cell.get_attribute("aria-sort")) for cell in found]


def test_columns_sort_by_click_and_by_keyboard(driver, files, regression):
    _browser.show(driver, files["regression"])
    frame = regression.frame.set_index("method")
    order = frame["score"].sort_values(ascending=False).index.tolist()
    assert _names(driver) == order
    assert _sorted(driver) == [("R2", "descending")]
    _button(driver, "R2").click()
    failed = "broken $x_1$"
    assert _names(driver) == [*reversed(order[:-1]), failed]  # what has no score is last in both directions
    assert _sorted(driver) == [("R2", "ascending")]
    _button(driver, "MAE").send_keys(Keys.ENTER)
    assert _names(driver) == frame["MAE"].sort_values().index.tolist()
    assert _sorted(driver) == [("MAE", "ascending")]
    _button(driver, "MAE").send_keys(Keys.SPACE)
    assert _names(driver)[:-1] == frame["MAE"].dropna().sort_values(ascending=False).index.tolist()
    _button(driver, "method").click()
    assert _names(driver) == sorted(order, key=str.lower)
    assert _browser.complaints(driver) == []


def test_the_copy_button_copies_the_code(driver, files, regression):
    permissions = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    driver.execute_cdp_cmd("Browser.grantPermissions", permissions)
    _browser.show(driver, files["regression"])
    read = "navigator.clipboard.readText().then(arguments[0], (error) => arguments[0](String(error)))"
    driver.find_element(By.CSS_SELECTOR, "button[aria-label='copy the command of this comparison']").click()
    assert driver.execute_async_script(read) == regression.command
    driver.find_element(By.XPATH, "//summary[contains(., 'optimal tree')]").click()
    button = driver.find_element(By.CSS_SELECTOR, "button[aria-label='copy the code of optimal tree']")
    button.send_keys(Keys.ENTER)
    assert driver.execute_async_script(read) == "import skpapers\n\nmodel = skpapers.QuantBnBTree(max_depth=2)"
    assert button.text == "copied"
    assert _browser.complaints(driver) == []


def test_every_picture_has_a_name_and_every_header_a_scope(driver, files):
    for file in files.values():
        _browser.show(driver, file)
        nameless = """
            return [...document.querySelectorAll("svg[role=img]")].filter((picture) => {
              const label = picture.getAttribute("aria-labelledby");
              return !(label ? document.getElementById(label)?.textContent : picture.getAttribute("aria-label"));
            }).length"""
        assert driver.execute_script(nameless) == 0
        top = "return [...document.querySelectorAll('svg')].filter((s) => !s.closest('svg[role=img]')).length"
        assert driver.execute_script(top) == 0
        assert driver.execute_script("return document.querySelectorAll('table th:not([scope])').length") == 0


def test_paper_shows_the_code_of_every_row(driver, files):
    _browser.show(driver, files["regression"])
    closed = "return document.querySelectorAll('details:not([open])').length"
    before = driver.execute_script(closed)
    assert before > 0
    driver.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert driver.execute_script(closed) == 0
    driver.execute_script("dispatchEvent(new Event('afterprint'))")
    assert driver.execute_script(closed) == before
