"""The prover: writes proofs with a self-evaluation, and refines earlier proofs."""
