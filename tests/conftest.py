"""One thread a test process, as the workers of a study have: threads that wait for a busy core spin, and a suite that
shares its machine with anything else takes ten times as long."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
