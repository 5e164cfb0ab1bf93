"""embeddings.json comes back whole, or the user is told what to run."""

from __future__ import annotations

import json

import pytest

from engram.errors import CohortError, StorageError
from engram.pipeline.embedded import Embedded, EmbeddedEncoder, load_embedded, save_embedded, saved_embedded
from engram.pipeline.folders import RunFolder

MADE = Embedded(
    "mini",
    "w" * 64,
    True,
    False,
    {"stride": 2},
    "p" * 64,
    {"P1": {"PET|spine|final": "k"}},
    {"P1": {"ct": "d"}},
    [],
    {"vit": EmbeddedEncoder("vit", "v" * 64, False, True, None, "all slices")},
    {"resnet50": "weights absent"},
)
SPINE, RIBS = "moose-3/clin_ct_vertebrae", "moose-3/clin_ct_ribs"


def test_what_was_saved_is_read_back(made) -> None:
    config = made.config()
    save_embedded(MADE, config, "m")
    assert load_embedded(config, "m") == saved_embedded(config) == MADE
    with pytest.raises(CohortError, match="has changed since"):
        load_embedded(config, "another")


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", "7", '{"study": "x"}', '{"study": "x", "keys": [1]}', b"\xff\xfe"]
)
def test_a_damaged_file_says_what_to_run(made, content: str | bytes) -> None:
    config = made.config()
    save_embedded(MADE, config, "m")
    path = RunFolder.of(config).embeddings
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for read in (lambda: load_embedded(config, "m"), lambda: saved_embedded(config)):
        with pytest.raises(StorageError, match=r"embeddings\.json: damaged.*Run 'engram embed' again"):
            read()


def test_wrong_types_are_damage_too(made) -> None:
    config = made.config()
    save_embedded(MADE, config, "m")
    path = RunFolder.of(config).embeddings
    path.write_text(json.dumps({**json.loads(path.read_text()), "keys": {"P1": None}}))
    with pytest.raises(StorageError, match="damaged"):
        load_embedded(config, "m")


def test_a_limit_that_decides_no_embedding_asks_for_none_anew(made) -> None:
    save_embedded(MADE, made.config(embedding={"quality_limit": 0.5}), "m")
    assert load_embedded(made.config(embedding={"quality_limit": 0.9}), "m") == MADE
    with pytest.raises(CohortError, match="has changed since"):
        load_embedded(made.config(embedding={"stride": 3}), "m")


def test_the_order_of_label_maps_asks_for_embeddings_anew(made) -> None:
    """Where two maps claim a voxel, the one that is named first has it."""
    rois = {"spine": {"region": "spine_dilated"}}
    save_embedded(MADE, made.config(images={"labels": {SPINE: "bones", RIBS: "tumour"}}, rois=rois), "m")
    with pytest.raises(CohortError, match="has changed since"):
        load_embedded(made.config(images={"labels": {RIBS: "tumour", SPINE: "bones"}}, rois=rois), "m")
