"""Ways to plant one defect in a derivation. Each finds a place for its kind of mistake, or returns None."""
