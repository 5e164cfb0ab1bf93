"""The study file on the models: which rows are run, and how they are trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from engram.config_section import Section

Modality = Literal["PET", "CT"]
Origin = Literal["PET", "CT", "Combined"]
Family = Literal["clinical", "image", "multimodal"]
Head = Literal["averaging", "attention", "3D CNN", "flatten", "PCA"]  # as tables print them
FusionName = Literal["concatenation", "gate"]
VectorModel = Literal["ridge Cox", "MLP"]  # what reads a vector: principal components, radiomics
Baseline = Literal["pet_numbers", "radiomics", "resnet50", "vit", "hiera"]


class Models(Section):
    """Which rows are run. By default all that the data allow."""

    families: tuple[Family, ...] = ("clinical", "image", "multimodal")
    origins: tuple[Origin, ...] | None = Field(None, description="by default all that the scans allow")
    heads: tuple[Head, ...] = Field(
        ("averaging",), min_length=1, description="what reads memory maps, in image rows; each is a row"
    )
    multimodal_heads: tuple[Head, ...] = Field(
        ("averaging",), min_length=1, description="the same, beside covariates"
    )
    fusions: tuple[FusionName, ...] = Field(
        ("concatenation",), min_length=1, description="of PET and CT, where a head reads both; each is a row"
    )
    vector_models: tuple[VectorModel, ...] = Field(
        ("ridge Cox",),
        min_length=1,
        description="what reads vector read-outs, radiomics and encoders; each is a row",
    )
    stage: str | None = Field(None, description="covariate of the stage (R-ISS), for a row that sees it alone")
    baselines: tuple[Baseline, ...] | None = Field(
        None, description="rows without a memory; by default pet_numbers, where the scans allow"
    )


class Training(Section):
    """DeepSurv, its heads, ridge Cox (paper 2.3.3, 2.4). All of it happens inside the training part of a fold."""

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (32,)
    dropout: float = Field(0.3, ge=0, lt=1)
    embedding_dropout: float = Field(0.0, ge=0, lt=1, description="of the fused vectors, before the survival head")
    norm: Literal["none", "layer", "batch"] = Field("batch", description="in the survival head")
    learning_rate: float = Field(1e-3, gt=0)
    schedule: Literal["cosine", "step"] = "cosine"
    weight_decay: float = Field(1e-2, ge=0, description="decoupled, as in AdamW")
    l2: float = Field(0.0, ge=0, description="the explicit penalty of the paper's loss; not with weight_decay")
    clip_norm: float = Field(1.0, gt=0)
    max_epochs: int = Field(200, ge=1)
    patience: int = Field(20, ge=1)
    inner_folds: int = Field(3, ge=1, description="inner splits whose median best epoch ends the training")
    ensemble: int = Field(
        3, ge=1, description="networks a fold, of different seeds; their mean log-risk is the risk"
    )
    ties: Literal["breslow", "efron"] = "breslow"
    cox_penalty: float = Field(0.1, gt=0, description="ridge penalty of every Cox model, with or without images")
    attention_base: int = Field(16, ge=1, description="width of light attention (base of paper 2.3.1)")
    attention_out: int = Field(32, ge=1, description="length of its vector (out_dim)")
    attention_pool: int = Field(8, ge=1, description="pixels a side of its pooled map (S)")
    components: int = Field(8, ge=1, description="of a vector read-out, for ridge Cox: 227 patients bear 5 to 10")

    @model_validator(mode="after")
    def _one_penalty(self) -> Training:
        if self.weight_decay > 0 and self.l2 > 0:
            raise ValueError("weight_decay and l2 are two forms of one penalty: set one of them to 0")
        return self
