"""Tools of a policy: a sandboxed Python interpreter, its pool, the loop's toolbox, and context policies."""
