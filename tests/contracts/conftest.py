"""Every backbone that the contract holds for."""

from __future__ import annotations

import pytest
from transformers import Sam2VideoModel

from engram.memory.backbone import Sam2Backbone
from engram.memory.contract import Backbone
from engram.memory.fake import FakeBackbone
from engram.memory.mini import mini_config, untrained_mini
from engram.memory.weights import load_backbone


@pytest.fixture(params=["fake", "untrained-mini", "long pointers"], scope="module")
def backbone(request: pytest.FixtureRequest) -> Backbone:
    if request.param == "fake":
        return FakeBackbone()
    return load_backbone("untrained-mini") if request.param == "untrained-mini" else _long_pointers()


def _long_pointers() -> Backbone:
    """The mini model, but as in SAM 2: pointers are looked back on for longer than memories are."""
    config = mini_config()
    config.max_object_pointers_in_encoder = 9
    model = Sam2VideoModel(config)
    model.load_state_dict(untrained_mini().state_dict())
    return Sam2Backbone(model, name="long pointers", digest="none", untrained=True)
