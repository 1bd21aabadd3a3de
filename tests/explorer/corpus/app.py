"""Streamlit script that shows the texts of a JSON file, given as argument, as the pages of the explorer show a text."""

import json
import sys
from pathlib import Path

import streamlit as st

from explorer.ui.style import CSS
from explorer.ui.widgets import model_text

st.set_page_config(layout="wide")
st.html(f"<style>{CSS}</style>")
for number, text in enumerate(json.loads(Path(sys.argv[1]).read_text())):
    model_text(text, f"case-{number}")
