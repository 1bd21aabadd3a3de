"""Navigation without a reload of the app, which takes a browser one to two seconds.

The links of the app are plain links and work as such. On a plain click this script (a constant) only changes the
address and lets Streamlit's client draw its page, as it does for the browser's back button.
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
    document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0);
  });
}
</script>"""


def install_navigation() -> None:
    """Adds the script to the page."""
    st.html(_SCRIPT, unsafe_allow_javascript=True)
