"""Colors and CSS. All constant: no data of a run enters a style sheet."""

# The end-of-proof sign, as a data URL: Streamlit would take a character for the address of an image.
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath d='M3 1h10v14H3z' fill='%2326241f'/%3E%3C/svg%3E"
)
RIGHT, HALF, WRONG, NONE = "#4c7a59", "#c2913a", "#b0523d", "#a8a297"

CSS = """<style>
:root { --right: #4c7a59; --half: #c2913a; --wrong: #b0523d; --none: #a8a297; --line: #e3ded3; --soft: #6b665b; }
[data-testid="stMainBlockContainer"] { max-width: 78rem; padding-top: 2.6rem; padding-bottom: 5rem; }
[data-testid="stSidebar"] { border-right: 1px solid var(--line); }
.st-key-paper, [class*="st-key-text-"] { font-family: "Source Serif", "Source Serif 4", Georgia, serif; }
[class*="st-key-text-"] p, [class*="st-key-text-"] li { font-family: "Source Serif", Georgia, serif; font-size: 1.06rem;
  line-height: 1.62; max-width: 46rem; }
[class*="st-key-text-"] h4 { font-size: 1.12rem; padding: .8rem 0 .1rem; }
[class*="st-key-text-"] .katex { font-size: 1.06em; }
[class*="st-key-text-"] .katex-display { max-width: 46rem; overflow-x: auto; overflow-y: hidden; padding: .15rem 0; }
[class*="st-key-text-"] hr { max-width: 46rem; margin: 1.1rem 0; }
[class*="st-key-text-"] table { font-size: .98rem; }
.lm-crumbs { color: var(--soft); font-size: .88rem; margin-bottom: -.6rem; }
.lm-crumbs a { text-decoration: none; } .lm-crumbs a:hover { text-decoration: underline; }
[data-testid="stHtml"] a { color: #2f5d62; }
.lm-links a { margin-right: 1.6rem; font-size: .95rem; }
.lm-table { border-collapse: collapse; width: 100%; font-size: .93rem; }
.lm-table th { text-align: left; font-weight: 600; color: var(--soft); font-size: .78rem; letter-spacing: .04em;
  text-transform: uppercase; border-bottom: 1px solid var(--line); padding: .35rem .7rem .35rem 0;
  white-space: nowrap; }
.lm-table td { border-bottom: 1px solid #efebe2; padding: .5rem .7rem .5rem 0; vertical-align: middle; }
.lm-table tr:hover td { background: #f7f4ed; }
.lm-table a { text-decoration: none; font-weight: 600; } .lm-table a:hover { text-decoration: underline; }
.lm-table .num { font-variant-numeric: tabular-nums; white-space: nowrap; }
.lm-badge { display: inline-block; min-width: 2.1rem; text-align: center; padding: .08rem .5rem; border-radius: 1rem;
  font-size: .84rem; font-weight: 600; font-variant-numeric: tabular-nums; color: #fff; background: var(--none); }
.lm-right { background: var(--right); } .lm-half { background: var(--half); } .lm-wrong { background: var(--wrong); }
.lm-plain { background: transparent; color: var(--soft); border: 1px solid var(--line); }
.lm-dots { display: flex; flex-wrap: wrap; gap: .22rem; }
.lm-dot { width: .95rem; height: .95rem; border-radius: .25rem; display: inline-block; }
.lm-dot { background: var(--none); } .lm-dot.lm-right { background: var(--right);
  } .lm-dot.lm-half { background: var(--half); }
.lm-dot.lm-wrong { background: var(--wrong); }
.lm-dot.sel { outline: 2px solid #26241f; outline-offset: 1px; }
.lm-soft { color: var(--soft); } .lm-small { font-size: .86rem; }
.lm-facts { display: flex; flex-wrap: wrap; gap: 1.7rem; margin: .3rem 0 .6rem; }
.lm-fact b { display: block; font-size: 1.28rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.lm-fact > span { font-size: .78rem; letter-spacing: .04em; text-transform: uppercase; color: var(--soft); }
.lm-note { border-left: 3px solid var(--half); background: #f8f3e6; padding: .55rem .9rem; border-radius: .25rem;
  font-size: .93rem; }
.lm-note.bad { border-color: var(--wrong); background: #f8ece8; }
.lm-hist { display: flex; align-items: flex-end; gap: .3rem; height: 7rem; border-bottom: 1px solid var(--line);
  max-width: 26rem; }
.lm-hist div { flex: 1; border-radius: .2rem .2rem 0 0; min-height: 1px; position: relative; }
.lm-hist div span { position: absolute; top: -1.25rem; width: 100%; text-align: center; font-size: .8rem;
  color: var(--soft); }
.lm-axis { display: flex; gap: .3rem; max-width: 26rem; font-size: .78rem; color: var(--soft); }
.lm-axis span { flex: 1; text-align: center; }
.lm-raw { font-family: "Source Code Pro", monospace; font-size: .83rem; white-space: pre-wrap; overflow-wrap: anywhere;
  background: #f6f3ec; border: 1px solid var(--line); border-radius: .4rem; padding: .8rem 1rem; margin: 0; }
.lm-raw .minus { background: #f3d9d2; text-decoration-color: var(--wrong); } .lm-raw .plus { background: #dcead9; }
.lm-steps { font-family: "Source Code Pro", monospace; font-size: .92rem; line-height: 1.9; white-space: pre-wrap;
  margin: 0; }
.lm-steps .ok { background: #e3eee0; } .lm-steps .fault { background: #f3d5cd; border-bottom: 2px solid var(--wrong); }
.lm-steps .minor { background: #f6e7c6; border-bottom: 2px solid var(--half); }
.lm-menu { display: flex; flex-direction: column; margin-top: -1.5rem; }
.lm-name { font-family: "Source Serif", Georgia, serif; font-size: 1.55rem; font-weight: 600; letter-spacing: .01em; }
.lm-section { color: var(--soft); font-size: .74rem; letter-spacing: .08em; text-transform: uppercase;
  margin: 1.3rem 0 .25rem; }
.lm-menu a { text-decoration: none; color: #26241f; padding: .22rem .6rem; margin-left: -.6rem; border-radius: .35rem; }
.lm-menu a:hover { background: #ebe6da; } .lm-menu a.here { background: #e6e0d2; font-weight: 600; }
.lm-live { color: var(--right); font-weight: 600; }
</style>"""


def score_class(score: float | None) -> str:
    """CSS class of a score in [0, 1]."""
    if score is None:
        return ""
    return "lm-right" if score >= 0.995 else "lm-wrong" if score < 0.25 else "lm-half"


def score_color(score: float | None) -> str:
    """Color of a score in [0, 1]."""
    return {"": NONE, "lm-right": RIGHT, "lm-half": HALF, "lm-wrong": WRONG}[score_class(score)]
