"""Streamlit pages of the explorer; everything that they show is computed in `explorer`."""
