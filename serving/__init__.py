"""OpenAI-compatible HTTP server for the generation engine: ``lemmata serve``. Importing it loads no torch."""
