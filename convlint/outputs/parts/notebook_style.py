"""The style of reports in notebooks.

JupyterLab, VS Code and Colab have styles of their own for tables, code and lists, and more specific ones than a class:
what a report depends on is ``!important``, or an attribute where a viewer removes style sheets (GitHub).
"""

from __future__ import annotations

MONOSPACE = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"

STYLE = f"""
.convlint {{ font-size: 13px; line-height: 1.45; text-align: left; max-width: 100% }}
.convlint .scroll {{ overflow-x: auto; max-width: 100% }}
.convlint table {{ border-collapse: collapse !important; border: 0 !important; margin: .5em 0 !important;
  table-layout: auto !important; width: auto !important; max-width: none !important;
  font-size: 12px !important; font-variant-numeric: tabular-nums }}
.convlint th, .convlint td {{ padding: .1em .6em; text-align: right !important; white-space: nowrap !important;
  max-width: none !important; border: 0 !important; vertical-align: baseline !important }}
.convlint th {{ border-bottom: 1px solid #8888 !important; font-weight: 600 !important }}
.convlint th.l, .convlint td.l {{ text-align: left !important }}
.convlint td.prose {{ white-space: normal !important; min-width: 10em; max-width: 20em !important }}
.convlint td.note {{ max-width: none !important; padding-bottom: .6em !important }}
.convlint .group td {{ font-weight: 600 }}
.convlint .failed td {{ background: #d3222222 !important }}
.convlint pre, .convlint code {{ font-family: {MONOSPACE} !important; font-variant-ligatures: none !important;
  letter-spacing: 0 !important; tab-size: 4 }}
.convlint pre {{ white-space: pre !important; word-break: normal !important; overflow-wrap: normal !important;
  margin: .2em 0 .6em !important; padding: .4em .8em !important; border: 0 !important; overflow-x: auto;
  background: #8881 !important; color: inherit !important; font-size: 12px !important; line-height: 1.35 !important }}
.convlint pre span {{ font-family: inherit !important }}
.convlint code {{ background: #8881 !important; color: inherit !important; border: 0 !important;
  padding: 0 .25em !important; font-size: 12px !important; white-space: pre-wrap }}
.convlint summary {{ cursor: pointer }}
.convlint .error, .convlint .removed {{ color: #d94040 !important }}
.convlint .warning {{ color: #b07a00 !important }}
.convlint .info {{ color: #3b7de0 !important }} .convlint .problem {{ color: #b040b0 !important }}
.convlint .fix, .convlint .added {{ color: #2a9d52 !important }}
.convlint .finding {{ margin-bottom: 1.2em }}
.convlint .note {{ opacity: .7 }}
"""
"""Colors are readable on white and on black."""
