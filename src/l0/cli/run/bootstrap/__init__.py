"""The folder that `l0 run` puts first in ``PYTHONPATH``."""
