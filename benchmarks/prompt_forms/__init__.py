"""Forms of the verifier's prompt, measured with a small model against the human grades of released proofs."""
