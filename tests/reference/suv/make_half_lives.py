"""Writes half_lives.csv beside it: seconds, by the package radioactivedecay (ICRP 107, AME2020, NUBASE2020).

python -m venv reference-venv && reference-venv/bin/pip install radioactivedecay==0.6.1
reference-venv/bin/python tests/reference/suv/make_half_lives.py
"""

from pathlib import Path

import radioactivedecay

NAMES = (
    *("F-18", "C-11", "N-13", "O-14", "O-15", "Ga-66", "Ga-68", "Cu-60", "Cu-61", "Cu-62"),
    *("Cu-64", "Zn-62", "Zr-89", "I-124", "Rb-82", "Sc-43", "Sc-44", "Tb-152", "Br-75", "Br-76"),
    *("Y-86", "Y-90", "Mn-51", "Mn-52", "Fe-52", "K-38", "Ti-45", "As-72", "Se-73", "Tc-94m"),
)

lines = ["nuclide,half_life_s"]
lines += [f"{name},{radioactivedecay.Nuclide(name).half_life('s'):.10g}" for name in NAMES]
Path(__file__).with_name("half_lives.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
