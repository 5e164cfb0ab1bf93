"""Baselines of image encoders in the report: with their own weights, whatever those of the memory are."""

import pytest
from hand_made import make_row

from engram.evaluation.radiomics_records import RadiomicsProvenance
from engram.evaluation.results import EncoderProvenance
from engram.report import labels, methods, prose, tables


@pytest.fixture
def results(synthetic_demo):
    """The demo, whose memory is untrained, with a row of each encoder."""
    rows, made = [], {}
    for name, title in (("resnet50", "ResNet-50"), ("vit", "ViT"), ("hiera", "Hiera alone")):
        kind = {"modality": "PET", "roi": "spine_dilated", "readout": name, "survival": "ridge Cox"}
        row = make_row(f"{title} of PET, spine_dilated", "image", 0.6, true_mean=0.6, **kind)
        rows.append(row.model_copy(update={"encoder": title, "head": "PCA"}))
        made[name] = EncoderProvenance(
            weights=f"weights-{name}",
            digest=name[0] * 64,
            untrained=name == "hiera",
            verified=name == "vit",
            licence="Apache-2.0" if name == "vit" else None,
            reading=f"slices of {name}, at 224 pixels",
        )
    provenance = synthetic_demo.provenance.model_copy(update={"encoders": made})
    return synthetic_demo.model_copy(update={"rows": [*synthetic_demo.rows, *rows], "provenance": provenance})


def test_each_row_is_marked_by_the_weights_of_its_own_encoder(results):
    table = tables.all_tables(results)["table1_image_only"]
    shown = {row[2]: row[3] for row in table.rows if row[2] in results.provenance.encoders}
    assert shown == {"resnet50": "ResNet-50 (not verified)", "vit": "ViT", "hiera": "Hiera alone (untrained)"}


def test_the_page_lists_what_each_was(results):
    lines = dict(prose.provenance_lines(results))
    digest = "v" * 64
    assert lines["Encoder: vit"] == (
        f"weights-vit (verified; licence: Apache-2.0); SHA-256 {digest}; slices of vit, at 224 pixels"
    )
    assert lines["Encoder: hiera"].startswith("weights-hiera (untrained); SHA-256 ")


def test_the_methods_say_what_of_the_region_each_saw(results, synthetic_demo):
    text = " ".join(methods.methods(results))
    assert "ResNet-50 (not verified; slices of resnet50, at 224 pixels)" in text
    assert "ViT (slices of vit, at 224 pixels)" in text
    assert "without a memory" not in " ".join(methods.methods(synthetic_demo))


def test_a_study_of_baselines_alone_claims_no_memory(results):
    rows = [row for row in results.rows if row.readout in results.provenance.encoders]
    bare = {"weights": None, "weights_digest": None, "protocol": {"pet_window_suv": [0.0, 10.0]}}
    alone = results.model_copy(
        update={"rows": rows, "drawn_masks": [], "provenance": results.provenance.model_copy(update=bare)}
    )
    text = " ".join(methods.methods(alone))
    assert "memory model None" not in text
    assert "Regions of interest" in text
    assert "0 to 10" in text
    assert labels.needs_untrained_label(alone, rows)


def test_the_methods_say_what_made_the_radiomics_and_how_they_were_chosen(whole_study):
    def said(made):
        provenance = whole_study.provenance.model_copy(update={"radiomics": made})
        return " ".join(methods.methods(whole_study.model_copy(update={"provenance": provenance})))

    settings = {"PET": "voxels of 2 mm, grey levels of SUV 0.5", "CT": "voxels of 2 mm, grey levels of 25 HU"}
    made = RadiomicsProvenance(tool="MIRP 2.7.0", settings=settings, features=7, digest="d" * 64)
    assert "made by MIRP 2.7.0 (PET: voxels of 2 mm, grey levels of SUV 0.5 and CT: voxels of 2 mm" in said(made)
    assert "at most 7 of a scan were chosen" in said(made)
    own = made.model_copy(update={"tool": None, "settings": {}})
    assert "from a table of the study's own" in said(own)
    assert "made by MIRP" not in said(None)
    assert "selection head" in said(None)
    for text in map(said, (made, own, None)):
        assert "None" not in text
