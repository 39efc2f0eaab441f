"""A program that imports the module under another name, and the function."""

import l0 as library
from l0 import l0

library.instrument()
answer: library.types.SyncStream = l0.run_sync(lambda: iter(["te", "xt"]))
print(answer.read(), library.__version__)
