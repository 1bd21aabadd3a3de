"""The proof explorer: `lemmata explore`, or `streamlit run app.py`."""

from explorer.main import main

main()
