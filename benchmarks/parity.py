"""Does the engine compute what the official MedSAM2 predictor computes?

    python benchmarks/parity.py [--reference FOLDER] [--seeds 0 1 2] [--threads 2]

With a FOLDER of the official predictor's numbers (`reference.npz` and `slices.npz`; tests/reference/medsam2
holds an extract, which the tests read), against those. Then, for any seed of the weights, against transformers'
own video session, reading the same slices with a box and the memory on each. Float32, 512 pixels, memories
rounded to bfloat16 before they are attended to, as the predictor does. A mask pixel at the threshold may flip
by rounding alone and moves what follows: the last columns show what the number of threads does to the engine's
own numbers.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from machine import REFERENCE, describe, random_tiny, set_allocator

PROMPTINGS = ("all", "first", "interleaved")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    set_allocator()
    import torch

    torch.set_num_threads(options.threads)
    print(describe(), end="\n\n")
    with tempfile.TemporaryDirectory() as folder:
        if options.reference:
            _whole_reference(random_tiny(Path(folder)), options.reference)
        _any_seed(Path(folder), options.seeds)


def _relative(ours: Any, theirs: Any) -> float:
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def _whole_reference(backbone: Any, folder: Path) -> None:
    reference, slices = np.load(folder / "reference.npz"), np.load(folder / "slices.npz")
    frames, boxes, listed = slices["imgs"], slices["boxes"], reference["slices"]
    top = backbone.encode(frames[:1])[0].levels[-1].permute(1, 2, 0).view(256, 32, 32).numpy()
    error = _relative(top, reference["image_level2"])
    print(f"Official predictor, seed 0, {len(frames)} slices. Image features: {error:.1e}\n")
    print("| prompting | slice | mask pixels that differ up to here | logits | memory ", end="")
    print("| memory, median value | pointer | own logits, 1 thread | own memory, 1 thread |\n|" + " --- |" * 9)
    for prompting in PROMPTINGS:
        found, alone = (_read(backbone, frames, boxes, prompting, threads) for threads in (None, 1))
        bits = np.unpackbits(reference[f"{prompting}_mask_bits"], axis=1).reshape(-1, 128, 128).astype(bool)
        differ = ((found.logits > 0) != bits).sum(axis=(1, 2))
        for k, z in enumerate(listed):
            memory = reference[f"{prompting}_memory"][k]
            errors = (
                _relative(found.logits[z], reference[f"{prompting}_logits"][k]),
                _relative(found.memory[z], memory),
                float(np.median(np.abs(found.memory[z] - memory)) / memory.std()),
                _relative(found.pointers[z], reference[f"{prompting}_pointers"][z]),
                _relative(alone.logits[z], found.logits[z]),
                _relative(alone.memory[z], found.memory[z]),
            )
            shown = " | ".join(f"{error:.1e}" for error in errors)
            flips = int(differ[z] if prompting == "all" else differ[: z + 1].sum())
            print(f"| {prompting} | {z} | {flips} | {shown} |", flush=True)
    print()


def _read(backbone: Any, frames: Any, boxes: Any, prompting: str, threads: int | None) -> Any:
    import torch

    from engram.memory import Protocol, trace

    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        return trace(backbone, frames, boxes, Protocol(prompting=prompting, bank_dtype="bfloat16"))
    finally:
        torch.set_num_threads(before)


def _any_seed(folder: Path, seeds: list[int]) -> None:
    import torch

    from engram.memory import Protocol, trace

    with np.load(REFERENCE / "extract.npz") as content:
        frames, boxes = content["imgs"], content["boxes"]
    print(f"transformers' own session, interleaved, {len(frames)} slices, largest relative error over slices;")
    print("its memories are kept in bfloat16, so ours are rounded before they are compared\n")
    print("| seed of the weights | logits | memory |\n| --- | --- | --- |")
    for seed in seeds:
        backbone = random_tiny(folder, seed=seed)
        ours = trace(backbone, frames, boxes, Protocol(bank_dtype="bfloat16"))
        logits, memory = _session(backbone, frames, boxes)
        rounded = torch.from_numpy(ours.memory).bfloat16().float().numpy()
        errors = [max(map(_relative, a, b)) for a, b in ((ours.logits, logits), (rounded, memory))]
        print(f"| {seed} | {errors[0]:.1e} | {errors[1]:.1e} |", flush=True)


def _session(backbone: Any, frames: Any, boxes: Any) -> tuple[Any, Any]:
    """The slices read by transformers: the first as a conditioning frame, the others with box and memory."""
    import torch
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

    model, (height, width) = backbone.model, frames.shape[1:]
    video = torch.cat([backbone._pixels(frame) for frame in frames])
    session = Sam2VideoInferenceSession(video=video, video_height=height, video_width=width, dtype=torch.float32)
    session.obj_id_to_idx(1)
    logits, memories = [], []
    with torch.inference_mode():
        for z, box in enumerate(boxes):
            corners = torch.tensor(box).view(1, 1, 2, 2)
            corners = corners * torch.tensor([backbone.image_size / width, backbone.image_size / height])
            points = {"point_coords": corners, "point_labels": torch.tensor([[[2, 3]]], dtype=torch.int32)}
            out = model._run_single_frame_inference(
                session, z, 0, 1, is_init_cond_frame=z == 0, point_inputs=points, mask_inputs=None, reverse=False
            )
            features, _ = model._prepare_vision_features(session, z, 1)
            memory, position = model._encode_new_memory(
                features[-1], out["high_res_masks"], out["object_score_logits"], is_mask_from_pts=True
            )
            kept = {**out, "maskmem_features": memory, "maskmem_pos_enc": position}
            session.store_output(0, z, output_value=kept, is_conditioning_frame=z == 0)
            side = backbone.image_size // 16
            memories.append(memory.float().squeeze(1).T.reshape(-1, side, side).numpy())
            logits.append(out["pred_masks"][0, 0].numpy())
    return np.stack(logits), np.stack(memories)


if __name__ == "__main__":
    main()
