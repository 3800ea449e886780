"""Write the picture of a report in a notebook: ``python -m bench.notebook``.

``STYLES`` are what the style sheets of three notebooks do to tables and code, made worse than they are: tests show
reports in them.
"""

from __future__ import annotations

import tempfile
from html import escape
from pathlib import Path

import convlint
from bench.browser import chromium

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "notebook.png"
NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.pool(self.norm(self.stem(x)).relu())
        return self.head(x.flatten(1))
"""
CALL = 'convlint.check("net.py:Net", input=(3, 32, 32))'
STYLES = {
    "JupyterLab": """
        .output { font: 14px/1.3 Helvetica, Arial, sans-serif }
        .output table { table-layout: fixed; margin: 0 auto 1em auto; font-size: 12px; border-collapse: collapse }
        .output td, .output th, .output tr { text-align: right; vertical-align: middle; padding: .5em;
            line-height: normal; white-space: normal; max-width: none; border: none }
        .output tbody tr:nth-child(odd) { background: #8881 }
        .output pre { font-family: serif; white-space: pre-wrap; word-break: break-all }
        .output code { background: #ddd; font-family: serif }""",
    "VS Code": """
        .output { font: 14px sans-serif }
        .output table { width: 100%; border: 1px solid #888 }
        .output td, .output th { text-align: left; border: 1px solid #888; max-width: 120px; overflow: hidden;
            text-overflow: ellipsis }
        .output pre, .output code { font-family: inherit; white-space: pre-wrap }""",
    "Colab": """
        .output { font: 14px Roboto, sans-serif; overflow: auto }
        .output * { box-sizing: border-box }
        .output table { display: block; width: 100% }
        .output td { text-align: center; padding: 8px; border-bottom: 1px solid #ccc }
        .output pre { font-family: Roboto, sans-serif; white-space: pre-line }""",
}


def document(html: str, style: str, code: str = "") -> str:
    """Return a page with the output of a notebook cell, and the cell above it."""
    cell = f'<div class="cell"><span>[2]:</span> <pre>{escape(code)}</pre></div>' if code else ""
    own = """
        body { margin: 8px; background: #fff }
        .cell { display: flex; font: 13px monospace } .cell span { width: 50px; padding: 6px 0; color: #307fc1 }
        .cell pre { flex: 1; margin: 0; padding: 6px 8px; background: #f5f5f5; border: 1px solid #e0e0e0 }
        .output { padding: 8px 0 } .cell + .output { margin-left: 50px }"""
    return f'<!doctype html><meta charset="utf-8"><style>{own}{style}</style>{cell}<div class="output">{html}</div>'


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        net, page = Path(folder) / "net.py", Path(folder) / "notebook.html"
        net.write_text(NET)
        html = convlint.check(f"{net}:Net", input=(3, 32, 32))._repr_html_().replace(f"{folder}/", "")
        page.write_text(document(html, STYLES["JupyterLab"], CALL), encoding="utf-8")
        with chromium() as browser, browser.page(page, width=1040, height=490) as shown:
            shown.screenshot(PICTURE)
    print(f"wrote {PICTURE.name}")


if __name__ == "__main__":
    main()
