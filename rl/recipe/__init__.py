"""The co-training recipe: three roles that improve each other over iterations, consolidated into one generator."""
