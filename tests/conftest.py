"""One thread a test process, as the workers of a study have.

Threads that wait for a busy core spin: a suite that shares its machine with anything else takes ten times as long.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
