"""Hydra configuration files. A package, so that the installed command line finds them inside a wheel too."""
