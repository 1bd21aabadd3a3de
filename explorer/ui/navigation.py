"""Scripts of all pages: navigation without a reload of the app, and copies that hold a formula's TeX once.

A reload takes a browser one to two seconds. The links of the app are plain links and work as such; on a plain click the
script (a constant) only changes the address and lets Streamlit's client draw its page, as for the back button.
"""

import streamlit as st

_SCRIPT = """<script>
if (!window.lemmataNavigation) {
  window.lemmataNavigation = true;
  document.addEventListener('click', (event) => {
    const link = event.target.closest ? event.target.closest('[data-testid="stHtml"] a[href^="./"]') : null;
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState({}, '', link.href);
    dispatchEvent(new PopStateEvent('popstate'));
    if (!link.classList.contains('lm-stay')) document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0);
  });
  document.addEventListener('copy', (event) => {
    const selection = document.getSelection();
    if (event.defaultPrevented || !event.clipboardData || !selection.rangeCount || selection.isCollapsed) return;
    if (event.target.closest?.('input, textarea')) return;
    const around = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement)?.closest('.katex');
    const range = selection.getRangeAt(0).cloneRange();
    const first = around(range.startContainer), last = around(range.endContainer);
    if (first) range.setStartBefore(first);
    if (last) range.setEndAfter(last);
    const part = range.cloneContents();
    for (const katex of part.querySelectorAll('.katex')) {
      const tex = katex.querySelector('annotation[encoding="application/x-tex"]')?.textContent ?? '';
      katex.replaceWith(katex.closest('.katex-display') ? `\\n$$\\n${tex}\\n$$\\n` : `$${tex}$`);
    }
    for (const block of part.querySelectorAll('p, li, h4, tr, pre, blockquote')) block.append('\\n');
    const text = part.textContent.replaceAll('\\u2060', '').replace(/\\n{3,}/g, '\\n\\n').trim();
    event.clipboardData.setData('text/plain', text);
    event.preventDefault();
  });
}
</script>"""


def install_navigation() -> None:
    """Adds the script to the page."""
    st.html(_SCRIPT, unsafe_allow_javascript=True)
