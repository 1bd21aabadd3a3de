"""The meta-verifier: checks whether an analysis reports real defects and scores them rightly."""
