"""Pages in Streamlit. They show what the modules beside this package compute."""
