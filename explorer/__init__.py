"""The proof explorer: pages of a Streamlit app over run folders, and labels by people (docs/guides/explorer.md)."""
