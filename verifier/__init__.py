"""The verifier: analyses proofs and scores them by rubric; aggregation and automatic labels."""
