"""Weights that their authors publish: where they are from, and under which licence.

What could not be confirmed from public sources is None and prints as "not known".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownWeights:
    """Weights that their authors publish. None: not known.

    repository: on Hugging Face; revision: the commit of it; resolution: pixels a side that they were trained at;
    sha256: of the published file, hex; saved_as: what `engram weights fetch` calls it, where the published name
    tells nobody what it is; remembers: whether the model has a memory: the other ones are image encoders alone.
    """

    name: str
    repository: str
    file: str
    revision: str | None
    resolution: int
    licence: str
    licence_note: str
    sha256: str | None
    citation: str
    saved_as: str | None = None
    remembers: bool = True

    @property
    def local_name(self) -> str:
        """The name of the file on this machine."""
        return self.saved_as or self.file

    @property
    def source(self) -> str:
        """Where the file is published."""
        return f"{self.file} of huggingface.co/{self.repository}"


def _medsam2(name: str, file: str, sha256: str | None = None) -> KnownWeights:
    return KnownWeights(
        name=name,
        repository="wanglab/MedSAM2",
        file=file,
        revision="e4a6f35edd7e091619cbc0750f462f1574e23955",
        resolution=512,
        licence="CC-BY-SA-4.0, for research and education only",
        licence_note=(
            "The model card's metadata say CC-BY-SA-4.0, its text that the weights can only be used for research "
            "and education: keep to both. Only the code is Apache-2.0."
        ),
        sha256=sha256,
        citation=(
            "Ma, J., et al. (2025). MedSAM2: Segment Anything in 3D Medical Images and Videos. arXiv:2504.03600."
        ),
    )


def _sam2(version: str, size: str, revision: str | None, sha256: str) -> KnownWeights:
    return KnownWeights(
        name=f"sam{version}-{size}",
        repository=f"facebook/sam{version}-hiera-{size}",
        file=f"sam{version}_hiera_{size.replace('-', '_')}.pt",
        revision=revision,
        resolution=1024,
        licence="Apache-2.0",
        licence_note="Trained on photographs and videos, not on medical images.",
        sha256=sha256,
        citation="Ravi, N., et al. (2024). SAM 2: Segment Anything in Images and Videos. arXiv:2408.00714.",
    )


_MEMORIES = (
    _medsam2(
        "medsam2",
        "MedSAM2_latest.pt",
        "c92743b99f00d078bf32a3afcc38aaa9faf1c1692dffe3eaa7a90938c1991060",
    ),
    _medsam2("medsam2-2411", "MedSAM2_2411.pt"),
    _medsam2("medsam2-ct-lesion", "MedSAM2_CTLesion.pt"),
    _medsam2("medsam2-mri-liver-lesion", "MedSAM2_MRI_LiverLesion.pt"),
    _medsam2("medsam2-us-heart", "MedSAM2_US_Heart.pt"),
    _sam2(
        "2.1",
        "tiny",
        "de431c4043854a71d8101e17995dfe596bf101a5",
        "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69",
    ),
    _sam2(
        "2.1",
        "small",
        "ee5bba1d82bb8749febdf90f45e84b687142ba03",
        "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38",
    ),
    _sam2(
        "2.1",
        "base-plus",
        "b7320756a13354e7530a63935656d35b2f91a290",
        "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5",
    ),
    _sam2(
        "2.1",
        "large",
        "665f8e2ad61cf5f53d65644ff27c8ee525124610",
        "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318",
    ),
    _sam2("2", "tiny", None, "65b50056e05bcb13694174f51bb6da89c894b57b75ccdf0ba6352c597c5d1125"),
    _sam2("2", "small", None, "95949964d4e548409021d47b22712d5f1abf2564cc0c3c765ba599a24ac7dce3"),
    _sam2("2", "base-plus", None, "d0bb7f236400a49669ffdd1be617959a8b1d1065081789d7bbff88eded3a8071"),
    _sam2(
        "2",
        "large",
        "e6a8e8809b8f1bfa2238b6d080f3d05cc76bd251",
        "7442e4e9b732a508f80e141e7c2913437a3610ee0c77381a66658c3a445df87b",
    ),
)


def _image_encoder(
    name: str, repository: str, revision: str, sha256: str | None, licence_note: str, citation: str
) -> KnownWeights:
    return KnownWeights(
        name=name,
        repository=repository,
        file="model.safetensors",
        revision=revision,
        resolution=224,
        licence="Apache-2.0",
        licence_note=licence_note,
        sha256=sha256,
        citation=citation,
        saved_as=f"{name}.safetensors",
        remembers=False,
    )


_ENCODERS = (
    _image_encoder(
        "resnet50",
        "microsoft/resnet-50",
        "34c2154c194f829b11125337b98c8f5f9965ff19",
        None,
        "Trained on ImageNet-1k: photographs, not medical images. An image encoder, for the baseline resnet50.",
        "He, K., et al. (2016). Deep Residual Learning for Image Recognition. CVPR.",
    ),
    _image_encoder(
        "vit",
        "google/vit-base-patch16-224-in21k",
        "b4569560a39a0f1af58e3ddaf17facf20ab919b0",
        "fd4e1169c7aa6c2dbfa8a6448be13b35abc0ee256190857c90009d12c094619b",
        "Trained on ImageNet-21k: photographs, not medical images. An image encoder, for the baseline vit.",
        "Dosovitskiy, A., et al. (2021). An Image is Worth 16x16 Words: Transformers for Image Recognition at "
        "Scale. ICLR.",
    ),
)
KNOWN_WEIGHTS: dict[str, KnownWeights] = {known.name: known for known in (*_MEMORIES, *_ENCODERS)}


def describe_weights(known: KnownWeights) -> str:
    """All that is known of published weights, a line each."""
    lines = {
        "source": known.source,
        "revision": known.revision,
        "resolution": f"{known.resolution} pixels",
        "licence": f"{known.licence}. {known.licence_note}",
        "SHA-256": known.sha256,
        "cite": known.citation,
    }
    return "\n".join([known.name, *(f"  {name}: {value or 'not known'}" for name, value in lines.items())])
