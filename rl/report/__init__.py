"""Report of co-training runs: estimates from the records of a run, tables, plots, and the document."""
