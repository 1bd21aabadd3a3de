"""Going from page to page without loading the app anew, which takes a browser a second or two.

Links of the app are plain ones, and work as such; this script, our own words alone, lets a plain click on one change
the address and have Streamlit's client run the page of it, as it does when a reader goes back.
"""

import streamlit as st

_SCRIPT = """<script>
if (!window.lemmataTurns) {
  window.lemmataTurns = true;
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


def turn_pages() -> None:
    """Put the script on the page."""
    st.html(_SCRIPT, unsafe_allow_javascript=True)
