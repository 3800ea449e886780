"""The report page: its text, and what it does in a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

import convlint
from bench import page as bench
from bench.browser import Browser, Page, chromium, executable
from convlint.ir import Coverage, Finding, Problem, Report, Site, Stopped
from convlint.outputs import formats, html_, renderer
from convlint.outputs.page.document import document
from tests.outputs import page_report

pytestmark = pytest.mark.slow  # most need a browser

needs_chromium = pytest.mark.skipif(
    executable() is None, reason="no Chromium here: apt-get install chromium, or set CHROMIUM"
)


TWO_LAYERS = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3)
        self.head = nn.Conv2d(20, 4, 1)

    def forward(self, x):
        return self.head(self.stem(x))
"""


class Elements(HTMLParser):
    """The elements of a page, and the text in each script and style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in ("script", "style") and data.strip():
            self.texts.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the file that findings point at."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "nets.py").write_text(page_report.NETS, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def net(folder: Path) -> Report:
    return page_report.report(folder, "Net")


@pytest.fixture(scope="module")
def evil(folder: Path) -> Report:
    return page_report.report(folder, "Evil")


# --- its text


def test_it_is_a_format() -> None:
    assert "html" in formats()
    assert renderer("html") is html_.render


def test_it_is_one_file_that_names_no_other(evil: Report) -> None:
    html = html_.render(evil)
    html.encode("ascii")
    found = Elements(html)
    assert not [attrs for _, attrs in found.tags if {"src", "srcset", "action"} & attrs.keys()]
    assert [attrs["href"] for _, attrs in found.tags if "href" in attrs] == ["#report"]
    assert "@import" not in html
    assert "url(" not in html


def test_its_policy_lets_its_own_script_run_and_nothing_be_loaded(net: Report) -> None:
    found = Elements(html_.render(net))
    (policy,) = [a["content"] for tag, a in found.tags if tag == "meta" and "http-equiv" in a]
    style, _, script = found.texts
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    assert policy == (f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'")


def test_names_of_modules_are_no_markup(evil: Report) -> None:
    found = Elements(html_.render(evil))
    assert [tag for tag, _ in found.tags].count("script") == 2
    assert "img" not in {tag for tag, _ in found.tags}
    names = [layer["name"] for layer in json.loads(found.texts[1])["models"][0]["layers"]]
    assert "</script><script>alert(2)</script>" in names


@given(st.text())
def test_any_text_is_data_in_a_script_element(text: str) -> None:
    """As the HTML standard asks of JSON there: nothing in it can end the element or begin a comment."""
    written = html_.data([text])
    assert json.loads(written) == [text]
    assert not re.search(r"[<>&\u2028\u2029]", written)
    assert written.isascii()


def test_it_holds_the_json_report(net: Report) -> None:
    """And what stands in each of its places is what docs/schema.json describes, and more."""
    from convlint.outputs import json_

    told, plain = document(net), json_.document(net)
    assert plain["findings"] == told["findings"]
    for more, model in zip(told["models"], plain["models"], strict=True):
        assert {name: more[name] for name in model} == model


def test_every_call_and_every_tensor_is_in_a_box(net: Report) -> None:
    (model,) = document(net)["models"]
    graph = net.models[0].graph
    made = [id for box in model["boxes"] for id in box.get("makes", ())]
    assert sorted(made) == [t.id for node in graph.nodes for t in node.outputs]
    for position, box in enumerate(model["boxes"][1:], 1):
        assert box["around"] < position, "a box stands behind the one around it"


def test_neighbours_in_one_list_are_in_a_box_for_the_list(folder: Path) -> None:
    (model,) = document(page_report.report(folder, "Listed"))["models"]
    boxes = model["boxes"]
    around = [(boxes[box["around"]]["module"], box["module"]) for box in boxes[1:]]
    assert around == [
        ("", ""),  # the input
        *[("", "chain"), ("chain", "chain.0"), ("chain", "chain.1"), ("chain", "chain.2")],
        *[("", "apart.0"), ("", ""), ("", "apart.1"), ("", "")],
        ("", ""),  # the output
    ]


def test_a_file_is_checked_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(page_report.NETS, encoding="utf-8")
    command = [sys.executable, "-m", "convlint", "check", "nets.py", "--output-format", "html"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(Elements(done.stdout).texts[1])
    assert {finding["code"] for finding in told["findings"]} == {"CVL103", "CVL301", "CVL302"}
    assert told["sources"]["nets.py"]


def test_lines_that_no_reader_reads_are_cut(tmp_path: Path) -> None:
    file = tmp_path / "long.py"
    file.write_text(f"x = '{'a' * 100_000}'\n" * 3, encoding="utf-8")
    report = Report((Finding("CVL301", "n", "info", "m", Site(str(file), 1, 1, 2, 5)),))
    assert len(html_.render(report)) < len(html_.render(Report())) + 2_000


# --- in the browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@contextmanager
def opened(browser: Browser, folder: Path, report: Report, **how: Any) -> Iterator[Page]:
    """The page of a report; in the end it must not have complained, nor loaded anything."""
    file = folder / "report.html"
    with chdir(folder):
        file.write_text(html_.render(report), encoding="ascii")
    with browser.page(file, **how) as page:
        yield page
        assert page.complaints() == []
        assert page.requests == [file.resolve().as_uri()]


def texts(page: Page, selector: str) -> list[str]:
    found: list[str] = page.value(
        f"[...document.querySelectorAll({json.dumps(selector)})].map(one => one.innerText.trim())"
    )
    return found


def boxes(page: Page) -> list[str]:
    """The modules of the boxes in sight, from top to bottom; ``title`` is class and path."""
    found: list[str] = page.value(
        "[...document.querySelectorAll('.window [data-box]')].sort((a, b) => parseFloat(a.style.top) - "
        "parseFloat(b.style.top) || parseFloat(a.style.left) - parseFloat(b.style.left)).map(one => one.title)"
    )
    return found


@needs_chromium
def test_totals_are_those_of_the_model(browser: Browser, folder: Path, net: Report) -> None:
    totals = net.models[0].totals
    with opened(browser, folder, net) as page:
        tiles = dict(zip(texts(page, ".tile > .note"), texts(page, ".tile > small"), strict=True))
        assert tiles["Parameters"] == f"{totals.params:,}"
        assert tiles["MACs"] == f"{totals.macs:,}"
        assert page.value("document.title") == "nets.py:Net - convlint"


@needs_chromium
def test_a_click_opens_a_module_and_another_one_closes_it(browser: Browser, folder: Path, net: Report) -> None:
    with opened(browser, folder, net, height=1600) as page:
        page.click("#graph .segmented button:nth-child(1)")
        folded = boxes(page)
        assert folded == [
            *("input", "Conv2d stem", "Sequential body", "Conv2d wide", "mean"),
            *("Linear head", "output"),
        ]
        page.click(".window [title='Sequential body']")
        assert {"Block body.0", "Block body.1"} <= set(boxes(page))
        page.click(".window [title='Sequential body'] [data-chevron]")
        assert boxes(page) == folded


@needs_chromium
def test_lines_go_down_and_no_two_boxes_overlap(browser: Browser, folder: Path, net: Report) -> None:
    with opened(browser, folder, net, height=4000) as page:
        page.value("document.querySelector('.window').style.height = '3600px'")
        page.click("#graph .segmented button:last-child")
        placed = page.value(
            "[...document.querySelectorAll('.window .box')].map(one => ['left', 'top', 'width', 'height']"
            ".map(name => parseFloat(one.style[name])))"
        )
        drawn = [box for box in document(net)["models"][0]["boxes"] if "op" in box]
        assert len(placed) == len(drawn)
        for n, (x, y, width, height) in enumerate(placed):
            for left, top, wide, high in placed[:n]:
                apart = x >= left + wide or left >= x + width or y >= top + high or top >= y + height
                assert apart
        path = page.value("document.querySelector('.lines .line').getAttribute('d')")
        for line in path.split("M")[1:]:
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", line)]
            assert numbers[1] <= numbers[-1]


def button(page: Page, name: str) -> None:
    """Press a button of the graph."""
    page.value(f"[...document.querySelectorAll('#graph button')].find(one => one.textContent === {name!r}).click()")


@needs_chromium
def test_left_to_right_lines_go_right_and_no_two_boxes_overlap(browser: Browser, folder: Path, net: Report) -> None:
    with opened(browser, folder, net, width=6000, height=1600) as page:
        page.click("#graph .segmented button:last-child")
        button(page, "\N{RIGHTWARDS ARROW}")
        sizes = "['left', 'top', 'width', 'height'].map(name => parseFloat(one.style[name]))"
        placed = page.value(f"[...document.querySelectorAll('.window .box')].map(one => {sizes})")
        assert len(placed) > 5
        for n, (x, y, width, height) in enumerate(placed):
            assert (width, height) == (210, 50)
            for left, top, wide, high in placed[:n]:
                assert x >= left + wide or left >= x + width or y >= top + high or top >= y + height
        path = page.value("document.querySelector('.lines .line').getAttribute('d')")
        for line in path.split("M")[1:]:
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", line)]
            assert numbers[0] <= numbers[-2]


@needs_chromium
def test_fit_shows_the_whole_graph_and_the_wheel_zooms_at_the_pointer(
    browser: Browser, folder: Path, net: Report
) -> None:
    with opened(browser, folder, net) as page:
        button(page, "Fit")
        window = "document.querySelector('.window')"
        assert page.value(f"{window}.scrollHeight <= {window}.clientHeight + 1")
        assert page.value(f"{window}.scrollWidth <= {window}.clientWidth + 1")
        scale = "new DOMMatrix(getComputedStyle(document.querySelector('.canvas')).transform).a"
        before = page.value(scale)
        wheel = "{deltaY: -50, ctrlKey: %s, bubbles: true, cancelable: true, clientX: 300, clientY: 300}"
        page.value(f"{window}.dispatchEvent(new WheelEvent('wheel', {wheel % 'false'})), 0")
        assert page.value(scale) == before
        page.value(f"{window}.dispatchEvent(new WheelEvent('wheel', {wheel % 'true'})), 0")
        assert page.value(scale) > before


@needs_chromium
def test_the_search_goes_through_the_boxes(browser: Browser, folder: Path, net: Report) -> None:
    with opened(browser, folder, net) as page:
        page.click("#graph .segmented button:nth-child(1)")
        field = "document.querySelector('#graph input')"
        page.value(f"{field}.value = 'body conv2d', {field}.dispatchEvent(new Event('input')), {field}.focus()")
        chosen = "[...document.querySelectorAll('.window [aria-selected=true]')].map(one => one.title)"
        assert page.value(chosen) == ["Conv2d body.0.conv"]
        assert texts(page, "#graph output")[0].startswith("1 of ")
        page.press("Enter")
        (second,) = page.value(chosen)
        assert second.startswith("Conv2d body.")
        assert second != "Conv2d body.0.conv"
        page.press("Shift+Enter")
        assert page.value(chosen) == ["Conv2d body.0.conv"]


@needs_chromium
def test_a_chip_brings_its_box_into_view(browser: Browser, folder: Path, net: Report) -> None:
    with opened(browser, folder, net) as page:
        page.value("document.querySelector('#findings .modules button').click()")
        name = texts(page, "#findings .modules button")[0]
        place = page.value("document.querySelector('[aria-selected=true]').getBoundingClientRect().toJSON()")
        assert page.value("document.querySelector('[aria-selected=true]').title").endswith(name)
        assert 0 <= place["top"] < place["bottom"] <= 800


SCALE = "new DOMMatrix(getComputedStyle(document.querySelector('.canvas')).transform).a"


@needs_chromium
def test_what_is_searched_for_is_large_enough_to_be_read(browser: Browser, folder: Path, net: Report) -> None:
    """Also where the graph was made small; a click on a small box leaves it small."""
    with opened(browser, folder, net, height=300) as page:
        button(page, "all")
        button(page, "Fit")
        small = page.value(SCALE)
        assert small < 0.5
        page.value("document.querySelector('.window .box').click()")
        assert page.value(SCALE) == small
        field = "document.querySelector('#graph input')"
        page.value(f"{field}.value = 'head', {field}.dispatchEvent(new Event('input')), 0")
        assert page.value(SCALE) == 1
        place = page.value("document.querySelector('[aria-selected=true]').getBoundingClientRect().toJSON()")
        window = page.value("document.querySelector('.window').getBoundingClientRect().toJSON()")
        assert window["top"] <= place["top"] < place["bottom"] <= window["bottom"]


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_the_graph_stays_where_it_is_when_details_open_and_close(
    browser: Browser, folder: Path, net: Report, width: int
) -> None:
    """They make the page narrower, so that the findings above the graph become longer."""
    with opened(browser, folder, net, width=width) as page:
        place = "document.querySelector('.window').getBoundingClientRect().top"
        page.value("document.getElementById('graph').scrollIntoView({behavior: 'instant'}), 0")
        page.settled()
        before = page.value(place)
        page.click(".window [title='Conv2d stem']")
        assert not page.value("document.getElementById('details').hidden")
        assert page.value(place) == pytest.approx(before, abs=1)
        page.press("Escape")
        assert page.value(place) == pytest.approx(before, abs=1)


@needs_chromium
def test_a_picture_is_named_after_the_model_it_shows(browser: Browser, folder: Path, net: Report, evil: Report) -> None:
    both = replace(net, models=(*net.models, *evil.models))
    with opened(browser, folder, both) as page:
        page.value("HTMLAnchorElement.prototype.click = function () { window.saved = this.download; }, 0")
        names = []
        for model in (0, 1):
            chosen = "document.getElementById('models')"
            page.value(f"{chosen}.selectedIndex = {model}, {chosen}.dispatchEvent(new Event('change')), 0")
            button(page, "SVG")
            names.append(page.value("window.saved"))
        assert names == ["nets.py_Net.svg", "nets.py_Evil.svg"]


@needs_chromium
@pytest.mark.parametrize("kind", ["SVG", "PNG"])
def test_what_is_open_is_saved_as_a_picture(browser: Browser, folder: Path, evil: Report, kind: str) -> None:
    with opened(browser, folder, evil) as page:
        saved = "URL.createObjectURL = (blob) => { window.saved = blob; return '#'; }, 0"
        page.value(saved)
        button(page, kind)
        page.wait_for("window.saved")
        if kind == "PNG":
            bytes_ = page.value("window.saved.arrayBuffer().then((data) => [...new Uint8Array(data)].slice(0, 8))")
            assert bytes(bytes_) == b"\x89PNG\r\n\x1a\n"
            return
        root = etree.fromstring(page.value("window.saved.text()").encode())
        names = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert names == {"svg", "rect", "path", "text"}
        written = [element.text or "" for element in root.iter() if element.tag.endswith("text")]
        assert any("<img src=x" in text for text in written)
        assert any(text == "1x3x32x32" for text in written)


@needs_chromium
def test_the_full_screen_ends_with_escape(browser: Browser, folder: Path, net: Report) -> None:
    with opened(browser, folder, net) as page:
        button(page, "Full screen")
        place = page.value("document.querySelector('#graph').getBoundingClientRect().toJSON()")
        assert (place["left"], place["top"]) == (0, 0)
        page.press("Escape")
        assert not page.value("document.body.classList.contains('full')")


@needs_chromium
def test_lines_carry_shapes(browser: Browser, folder: Path, net: Report) -> None:
    with opened(browser, folder, net) as page:
        assert {"1x3x32x32", "1x16x32x32"} <= set(
            page.value("[...document.querySelectorAll('.lines text')].map(one => one.textContent)")
        )


@needs_chromium
def test_the_keyboard_alone_opens_closes_and_shows(browser: Browser, folder: Path, net: Report) -> None:
    with opened(browser, folder, net) as page:
        page.click("#graph .segmented button:nth-child(1)")
        page.value("document.querySelector('.window [tabindex=\"0\"]').focus()")
        focused = "document.activeElement.title"
        assert page.value(focused) == "input"
        page.press("ArrowDown", "ArrowDown")
        assert page.value(focused) == "Sequential body"
        page.press("ArrowRight")
        assert page.value("document.activeElement.getAttribute('aria-expanded')") == "true"
        page.press("ArrowRight", "ArrowRight", "ArrowRight")
        assert page.value(focused) == "Conv2d body.0.conv"
        page.press("Enter")
        assert texts(page, "#details h2") == ["Conv2d\nbody.0.conv"]
        assert page.value("document.activeElement.tagName") == "H2"
        page.press("Escape")
        assert page.value("document.getElementById('details').hidden")
        assert page.value(focused) == "Conv2d body.0.conv"
        page.press("ArrowLeft", "ArrowLeft")
        assert page.value(focused) == "Block body.0"
        assert page.value("document.activeElement.getAttribute('aria-expanded')") == "false"


@needs_chromium
def test_everything_is_reached_with_the_tab_key(browser: Browser, folder: Path, net: Report) -> None:
    """Buttons, the graph, the treemap and the table; each is named for those who do not see it."""
    with opened(browser, folder, net) as page:
        places: set[str] = set()
        page.value("document.body.focus()")
        for _ in range(150):
            page.press("Tab")
            where, name = page.value(
                """(() => { const at = document.activeElement;
                return [at.closest('section, nav, header')?.id || '', at.innerText || at.ariaLabel
                    || at.getAttribute('aria-label') || at.labels?.[0]?.innerText || '']; })()"""
            )
            assert name.strip() or where == ""
            places.add(where)
        assert {"findings", "graph", "costs", "memory", "layers"} <= places


@needs_chromium
def test_a_click_on_a_layer_shows_its_numbers_and_its_source(browser: Browser, folder: Path, net: Report) -> None:
    with opened(browser, folder, net) as page:
        page.click("#graph .segmented button:nth-child(1)")
        page.click(".window [title='Conv2d stem']")
        shown = page.value("document.getElementById('details').innerText")
        row = next(row for row in net.models[0].layers if row.name == "stem")
        assert f"{row.params:,}" in shown
        assert f"{row.macs:,}" in shown
        assert "nets.py:19:21" in shown
        assert texts(page, "#details .source mark")[0] == "nn.Conv2d(3, 16, 3, padding=1)"


@needs_chromium
def test_what_fails_and_what_wastes_is_in_colour(browser: Browser, folder: Path, net: Report) -> None:
    def color(page: Page, title: str) -> str:
        found: str = page.value(
            f"getComputedStyle(document.querySelector('.window [title=\"{title}\"]')).backgroundColor"
        )
        return found

    with opened(browser, folder, net, height=1600) as page:
        page.click("#graph .segmented button:nth-child(1)")
        assert color(page, "Conv2d wide") != color(page, "Conv2d stem")  # a padded 1x1 convolution
        page.click(".window [title='Conv2d wide']")
        assert "CVL302" in page.value("document.getElementById('details').innerText")
    broken = page_report.report(folder, "Broken")
    with opened(browser, folder, broken) as page:
        # The convolution in front has a bias without effect, which is a waste (an info) and no failure.
        assert len({color(page, title) for title in ("input", "Conv2d stem", "BatchNorm2d norm")}) == 3
        page.click(".window [title='BatchNorm2d norm']")
        assert "CVL103" in page.value("document.getElementById('details').innerText")


@needs_chromium
def test_the_layer_at_which_a_run_stopped_is_drawn(browser: Browser, folder: Path) -> None:
    with opened(browser, folder, page_report.report(folder, "Stopped")) as page:
        assert [title for title in boxes(page) if title] == ["input", "Conv2d stem", "Odd odd"]
        assert page.value("document.querySelector('.window [title=\"Odd odd\"]').className") == (
            "box family-other error"
        )
        assert "not today" in texts(page, ".overview")[0]


@needs_chromium
def test_repairs_that_were_tried_are_shown_with_their_changes(browser: Browser, folder: Path) -> None:
    (folder / "two.py").write_text(TWO_LAYERS, encoding="utf-8")
    with chdir(folder):
        report = convlint.check("two.py:Net", input=(3, 32, 32))
    with opened(browser, folder, report) as page:
        assert texts(page, ".card .fix") == [
            "verified fix: either replace 20 with 12",
            "or replace 12 with 20 at two.py:7:34; the model then runs",
        ]
        assert [[*filter(None, text.splitlines())] for text in texts(page, ".card .diff")] == [
            ["- self.head = nn.Conv2d(20, 4, 1)", "+ self.head = nn.Conv2d(12, 4, 1)"],
            ["- self.stem = nn.Conv2d(3, 12, 3)", "+ self.stem = nn.Conv2d(3, 20, 3)"],
        ]
        message = "Conv2d head expects 20 input channels but receives 12 from Conv2d stem"
        assert message in texts(page, ".card p")
        assert texts(page, ".card p:first-of-type code")[:2] == ["head", "stem"]


@needs_chromium
def test_the_table_sorts(browser: Browser, folder: Path, net: Report) -> None:
    rows = net.models[0].layers
    with opened(browser, folder, net) as page:
        assert texts(page, "#layers tbody th") == [row.name for row in rows]
        page.click("#layers thead th:nth-child(7) button")
        by_params = [f"{row.params:,}" for row in sorted(rows, key=lambda row: -row.params)]
        assert texts(page, "#layers tbody td:nth-child(7)") == by_params
        page.click("#layers thead th:nth-child(7) button")
        assert texts(page, "#layers tbody td:nth-child(7)") == by_params[::-1]
        page.click("#layers thead th:nth-child(1) button")
        assert texts(page, "#layers tbody th") == sorted(row.name for row in rows)
        assert texts(page, "#layers [aria-sort=ascending]") == ["layer"]


@needs_chromium
def test_the_table_filters(browser: Browser, folder: Path, net: Report) -> None:
    rows = net.models[0].layers
    with opened(browser, folder, net) as page:
        page.click("#layers input[type=search]")
        page.press(*"BODY conv")
        assert texts(page, "#layers tbody th") == [
            row.name for row in rows if "body" in row.name and "conv" in f"{row.name} {row.kind}".lower()
        ]
        assert texts(page, "#layers [role=status]") == [f"4 of {len(rows)} layers"]
        page.value(
            "const words = document.querySelector('#layers input'); words.value = '';"
            "words.dispatchEvent(new Event('input'))"
        )
        page.click("#layers input[type=checkbox]")
        named = {name for finding in net.findings if finding.target for name in finding.instances}
        assert set(texts(page, "#layers tbody th")) == named & {row.name for row in rows}


@needs_chromium
def test_a_click_in_the_table_opens_the_graph_there(browser: Browser, folder: Path, net: Report) -> None:
    with opened(browser, folder, net) as page:
        page.click("#graph .segmented button:nth-child(1)")
        page.click("#layers tbody tr:nth-child(5)")
        name = texts(page, "#layers tbody tr:nth-child(5) th")[0]
        assert name == "body.1.conv"
        assert texts(page, ".window [aria-selected=true] .name") == ["conv"]
        assert texts(page, "#details h2 small") == [name]


@needs_chromium
@pytest.mark.parametrize("metric", ["params", "macs", "output_bytes"])
def test_areas_of_the_treemap_are_the_shares(browser: Browser, folder: Path, net: Report, metric: str) -> None:
    """Of the modules that have no others around them; the map leaves a pixel between cells."""
    wanted = {
        name: sum(getattr(row, metric) for row in net.models[0].layers if row.name.split(".")[0] == name)
        for name in ("stem", "body", "wide", "head")
    }
    title = {"params": 1, "macs": 2, "output_bytes": 3}[metric]
    with opened(browser, folder, net) as page:
        page.click(f"#costs .segmented button:nth-child({title})")
        sizes = page.value(
            "Object.fromEntries([...document.querySelectorAll('.treemap .cell')].map(one => [one.title.split(':')[0],"
            " (parseFloat(one.style.width) + 1) * (parseFloat(one.style.height) + 1)]))"
        )
        whole = page.value("(({clientWidth: w, clientHeight: h}) => w * h)(document.querySelector('.treemap'))")
        for name, value in wanted.items():
            share = value / sum(wanted.values())
            if share > 0.01:
                assert sizes[name] / whole == pytest.approx(share, rel=0.02)
        bars = dict(zip(texts(page, ".bar .name"), texts(page, ".bar .value small"), strict=True))
        assert bars["body Sequential"] == f"{100 * wanted['body'] / sum(wanted.values()):.1f} %"


@needs_chromium
def test_a_bar_leads_into_its_module(browser: Browser, folder: Path, net: Report) -> None:
    with opened(browser, folder, net) as page:
        page.click(".bars li:nth-child(2) button")
        assert texts(page, ".trail button") == ["model", "body"]
        assert texts(page, ".bar .name") == ["0 Block", "1 Block"]
        page.click(".trail button")
        assert texts(page, ".trail button") == ["model"]


@needs_chromium
def test_memory_over_time_marks_the_peak(browser: Browser, folder: Path, net: Report) -> None:
    """The slider says at every call what is in use; the most of it is what the page calls the peak."""
    memory = document(net)["models"][0]["memory"]
    with opened(browser, folder, net) as page:
        measured = net.models[0].totals.peak_inference_bytes
        assert measured is not None
        assert f"Measured: the dashed line, {measured / 2**20:.2f}" in (texts(page, "#memory")[0])
        peak = texts(page, "#memory output")[0]
        used = [live + more for live, more in zip(memory["live"], memory["workspace"], strict=True)]
        assert peak.startswith(f"Call {used.index(max(used)) + 1} of {len(used)}, ")
        top = page.value("document.querySelector('circle.peak').getAttribute('cy')")
        page.value("document.querySelector('#memory input').focus()")
        page.press("Home")
        assert texts(page, "#memory output")[0].startswith(f"Call 1 of {len(used)}, input")
        path = page.value("document.querySelector('.chart .workspace').getAttribute('d')")
        heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]
        assert min(heights) == pytest.approx(float(top), abs=0.01)


@needs_chromium
def test_a_suggestion_is_told_at_its_layer(browser: Browser, folder: Path, net: Report) -> None:
    with opened(browser, folder, replace(net, suggestions=(page_report.suggestion(),))) as page:
        page.click("#layers tbody tr:nth-child(1)")
        shown = page.value("document.getElementById('details').innerText")
        assert "CVL502" in shown
        assert "-82.6 %" in shown  # 448 parameters to 78
        assert texts(page, "#details .diff .added")[-1] == "+        self.stem = separable(3, 16)"


@needs_chromium
def test_names_and_source_stay_text(browser: Browser, folder: Path, evil: Report) -> None:
    with opened(browser, folder, evil) as page:
        page.click("#graph .segmented button:last-child")
        for row in range(1, 4):
            page.click(f"#layers tbody tr:nth-child({row})")
        names = texts(page, "#layers tbody th")
        assert names[:2] == ["<script>alert(1)</script>", "</script><script>alert(2)</script>"]
        assert names[2] == "\\u2028<!--\\u202e${alert(4)}&lt;"  # what would be hidden is written out
        assert texts(page, "#layers tbody td:nth-child(2)")[0] == "<img src=x onerror=alert(3)>"
        assert page.value("document.querySelectorAll('img, script, iframe').length") == 2
        assert page.dialogs == []


@needs_chromium
def test_several_models_are_chosen_from(browser: Browser, folder: Path, net: Report) -> None:
    other = page_report.report(folder, "Broken")
    both = Report((*net.findings, *other.findings), (*net.models, *other.models))
    with opened(browser, folder, both) as page:
        assert "wide" in texts(page, "#layers tbody th")
        page.value(
            "const models = document.getElementById('models'); models.value = '1';"
            "models.dispatchEvent(new Event('change'))"
        )
        page.settled()
        assert "Sequential body" not in boxes(page)
        assert texts(page, "#layers tbody th") == ["stem", "norm", "head"]
        assert "CVL103" in texts(page, "#findings")[0]


@needs_chromium
def test_findings_of_files_and_problems_are_listed(browser: Browser, folder: Path) -> None:
    site = Site(str(folder / "nets.py"), 8, 21, 8, 72)
    finding = Finding("CVL301", "bias-before-norm", "warning", "the bias has no effect", site)
    many = tuple(replace(finding, message=f"number {n}") for n in range(250))
    problem = Problem("timeout", "no answer within 5 s", path="slow.py", line=3)
    with opened(browser, folder, Report((finding, *many), (), (problem,))) as page:
        assert texts(page, "#verdict .badge") == ["251 warnings", "1 problem"]
        assert "no answer within 5 s" in texts(page, "#problems")[0]
        assert "slow.py:3" in texts(page, "#problems")[0]
        assert texts(page, "#files .source mark")[0].startswith("nn.Conv2d(c, d")
        assert page.value("document.querySelectorAll('#files .card').length") == 100
        page.click("#files > button")
        assert page.value("document.querySelectorAll('#files .card').length") == 251
        page.click("#files input")
        page.press(*"number 249")
        page.wait_for("document.querySelectorAll('#files .card').length === 1")


@needs_chromium
def test_a_model_that_was_never_built_has_a_page(browser: Browser, folder: Path) -> None:
    report = page_report.report(folder, "Unbuilt")
    with opened(browser, folder, report) as page:
        assert "never built" in page.value("document.getElementById('report').innerText")
        assert not texts(page, "#costs")
        assert not texts(page, "#layers")


@needs_chromium
def test_long_paths_of_what_was_not_followed_fit_a_phone(browser: Browser, folder: Path) -> None:
    path = f"{'a_long_name_of_a_folder/' * 6}net.py"
    missing = Coverage(path, 1, "Net", None, 4, 1, (Stopped(path, 3, f"`{'x' * 90}` is unknown"),))
    with opened(browser, folder, Report(coverage=(missing,)), width=390) as page:
        assert path in texts(page, "#coverage li")[0]
        assert page.value("document.documentElement.scrollWidth") == 390


@needs_chromium
def test_nothing_was_found(browser: Browser, folder: Path) -> None:
    with opened(browser, folder, Report()) as page:
        assert texts(page, "#verdict .badge") == ["no findings"]


# --- light and dark, wide and narrow, small and large


def luminance(page: Page, selector: str, name: str) -> float:
    """Relative luminance of a colour, as WCAG 2.2 defines it."""
    color = page.value(f"getComputedStyle(document.querySelector({selector!r}))[{name!r}]")
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@needs_chromium
def test_it_is_as_light_or_dark_as_the_user_prefers_or_chooses(browser: Browser, folder: Path, net: Report) -> None:
    def ground(page: Page) -> float:
        return luminance(page, "body", "backgroundColor")

    with opened(browser, folder, net, dark=True) as page:
        assert ground(page) < 0.1
        page.click("#theme")
        assert ground(page) > 0.8
        page.click("#theme")
        assert ground(page) < 0.1
        page.click("#theme")
        assert texts(page, "#theme") == ["Theme: auto"]
    with opened(browser, folder, net) as page:
        assert ground(page) > 0.8


@needs_chromium
@pytest.mark.parametrize("dark", [False, True])
def test_words_stand_out_from_their_ground(browser: Browser, folder: Path, net: Report, dark: bool) -> None:
    """A contrast of 4.5 to 1 and more, as WCAG 2.2 level AA asks for."""
    with opened(browser, folder, net, dark=dark) as page:
        for text, ground in (
            ("body", "body"),
            (".card p", ".card"),
            (".card .place", ".card"),
            (".tile .note", ".tile"),
            (".box .tag", ".window .box:not(.group)"),
            ("#layers tbody th button", "#layers .scroll"),
            (".badge.warning", ".badge.warning"),
        ):
            pair = luminance(page, text, "color"), luminance(page, ground, "backgroundColor")
            assert (max(pair) + 0.05) / (min(pair) + 0.05) >= 4.5, (text, pair)


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out(browser: Browser, folder: Path, net: Report, width: int) -> None:
    with opened(browser, folder, net, width=width, height=844) as page:
        page.click("#layers tbody tr:nth-child(5)")
        assert page.value("document.documentElement.scrollWidth") <= width
        panel = page.value("document.getElementById('details').getBoundingClientRect().toJSON()")
        assert panel["right"] <= width
        assert panel["height"] <= 844


@needs_chromium
def test_a_thousand_layers_are_painted_at_once_and_usable(browser: Browser, folder: Path) -> None:
    report = bench.report("1,000 layers")
    text = html_.render(report)
    assert len(report.models[0].layers) == 1000
    assert len(text) < 3e6
    found = bench.measure(browser, text, loads=3)
    assert found.elements_opened < 10_000
    (folder / "report.html").write_text(text, encoding="ascii")
    with opened(browser, folder, report) as page:
        page.click("#graph .segmented button:last-child")
        page.value("document.querySelector('.window [tabindex=\"0\"]').focus()")
        page.press("End", "End")
        assert page.value("document.activeElement.title") == "output"
        page.press("ArrowUp")
        assert page.value("document.activeElement.title") == "Linear head"
        assert not page.value("document.querySelector('.minimap').hasAttribute('hidden')")
        page.value("document.querySelector('.window').scrollTo(0, 0)")
        middle = "{pointerId: 1, clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, bubbles: true}"
        page.value(
            "{ const map = document.querySelector('.minimap'); const box = map.getBoundingClientRect(); "
            "map.setPointerCapture = () => {}; "
            f"map.dispatchEvent(new PointerEvent('pointerdown', {middle})); }}"
        )
        assert page.value("document.querySelector('.window').scrollTop") > 10_000
        page.click("#layers + *, #layers > button")
        assert page.value("document.querySelectorAll('#layers tbody tr').length") == 1000
