"""Every backbone that the contract holds for."""

from __future__ import annotations

import pytest

from engram.memory.contract import Backbone
from engram.memory.fake import FakeBackbone
from engram.memory.weights import load_backbone


@pytest.fixture(params=["fake", "untrained-mini"], scope="module")
def backbone(request: pytest.FixtureRequest) -> Backbone:
    return FakeBackbone() if request.param == "fake" else load_backbone(request.param)
