"""Writes codes.csv beside it: DICOM PS3.16 CID 4020 "PET Radionuclide" of pydicom 3.0.2, with SNOMED-RT codes.

.venv/bin/python tests/reference/suv/make_codes.py
"""

from pathlib import Path

from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping

older = {new: old for old, new in mapping["SRT"].items()}
lines = ["meaning,code,older_code"]
for scheme, names in cid_concepts[4020].items():
    for name in names:
        code, (meaning, _) = next(iter(concepts[scheme][name].items()))
        lines.append(f"{meaning},{code},{older.get(code, '')}")
Path(__file__).with_name("codes.csv").write_text("\n".join([lines[0], *sorted(lines[1:])]) + "\n")
