"""The baseline of PET numbers in the report: beside the others, never among the rows of the memory."""

import pytest
from hand_made import make_row

from engram.report import labels, methods, prose, tables


@pytest.fixture
def results(synthetic_demo):
    """The demo with two rows of PET numbers, better than all others; its weights are untrained."""
    kind = {"modality": "PET", "roi": "spine_dilated", "readout": "pet_numbers", "survival": "ridge Cox"}
    rows = [
        make_row(name, family, 0.9, true_mean=0.9, **kind).model_copy(update={"encoder": "-", "head": "-"})
        for name, family in (
            ("PET numbers, spine_dilated", "image"),
            ("PET numbers + clinical, spine_dilated", "multimodal"),
        )
    ]
    made = synthetic_demo.provenance.model_copy(update={"mtv_threshold": "SUV 4"})
    return synthetic_demo.model_copy(update={"rows": [*synthetic_demo.rows, *rows], "provenance": made})


def test_they_are_in_the_tables_of_their_family_without_a_model(results):
    table = tables.all_tables(results)["table1_image_only"]
    (line,) = [row for row in table.rows if "pet_numbers" in row]
    assert line[:5] == ("PET", "spine_dilated", "pet_numbers", "–", "–")
    assert any("pet_numbers, SUVmean, SUVmax" in note for note in table.notes)


def test_they_stand_beside_the_best_rows_and_are_never_the_best(results):
    names = [row[1] for row in tables.all_tables(results)["table3_comparison"].rows]
    assert {"PET numbers, spine_dilated", "PET numbers + clinical, spine_dilated"} <= set(names)
    assert sum("PET numbers" not in name and "Clinical" not in name for name in names) == 2
    assert "PET numbers" not in labels.best(results.rows, "image").name
    assert "PET numbers" not in prose.summary(results)


def test_no_weights_are_said_to_have_seen_them(results):
    rows = [row for row in results.rows if row.readout == "pet_numbers"]
    assert results.provenance.untrained_weights
    assert not labels.needs_untrained_label(results, rows)
    assert labels.encoder_name(rows[0], results.provenance) == "–"


def test_the_methods_say_what_they_are(results, synthetic_demo):
    text = " ".join(methods.methods(results))
    assert "metabolic volume and total lesion glycolysis of voxels at or above SUV 4" in text
    assert "PET numbers" not in " ".join(methods.methods(synthetic_demo))
