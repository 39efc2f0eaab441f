"""A program with four mistakes, which type checkers find only if they see the types of the installed copy."""

import l0
from l0 import l0 as function

l0.instrument(l0.Policy(timeout=l0.Timeout(total="soon")))
l0.no_such_name()
text: int = l0.run_sync(lambda: iter(["a"])).read()
function.wrap("text", no_such_option=1)
