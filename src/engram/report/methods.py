"""The methods section, made from what is saved; nothing is claimed that the results do not hold."""

from __future__ import annotations

from engram.config_windows import CT_WINDOWS_HU, PET_WINDOWS_SUV, window_name
from engram.evaluation.results import StudyResults
from engram.report.formats import joined
from engram.report.methods_evaluation import beyond_c_index, evaluation, sensitivity
from engram.report.methods_models import models
from engram.report.methods_tuning import tuning
from engram.report.shown import Shown

_PROMPTING = {
    "all": "every slice read was prompted before {the_pass} began",
    "interleaved": "each slice was prompted in its turn, after the slices before it had been read",
    "every_k": (
        "the first slice{of_each} and every k-th slice read after it were prompted in their turn, and the mask was "
        "followed through the others"
    ),
    "first": "only the first slice{of_each} was prompted, and its mask was followed through the others",
}
_EVERY = {1: "every slice", 2: "every second slice", 3: "every third slice"}


def methods(results: StudyResults) -> list[str]:
    """The methods as paragraphs: patients, images, models, tuning, evaluation."""
    paragraphs = [_patients(results), _images(results), models(results), tuning(results), evaluation(results)]
    paragraphs += [beyond_c_index(results), sensitivity(results)]
    return [text for text in paragraphs if text]


def _patients(results: StudyResults) -> str:
    flow, cohort = results.flow, results.cohort
    source = f" Source of the data: {results.source}." if results.source else ""
    return (
        f"Of {flow.pool} rows of the manifest, {cohort.n} patients were analysed, {cohort.events} of them with the "
        f"event ({cohort.endpoint}). Outcomes were never imputed. Times are in months of 30.4375 days.{source}"
    )


def _images(results: StudyResults) -> str:
    made, protocol = results.provenance, results.provenance.protocol
    if made.weights is None and not made.encoders:
        return ""
    state = "random, untrained" if made.untrained_weights else "frozen"
    doubt = "" if made.untrained_weights or made.verified_weights else " (not verified)"
    regions = joined([f"{name} ({how})" for name, how in made.rois.items()])
    sentences = [f"Regions of interest: {regions}."] if made.rois else []
    if "label_schemes" in protocol:
        sentences.append(f"Bones are those of label maps, whose numbers were read as {protocol['label_schemes']}.")
    if made.weights is not None:
        sentences.append(
            f"Axial slices were read with the {state} memory model {made.weights}{doubt}{_reading(protocol)}."
        )
    if "prompting" in protocol:
        sentences.append(_prompting(str(protocol["prompting"]), Shown.of(results)))
    if "prompt" in protocol:
        sentences.append(f"The prompt: {protocol['prompt']}.")
    sentences += _windows(protocol)
    if "read_out" in protocol:
        sentences.append(f"Read out of the memory of an image: {protocol['read_out']}.")
    return " ".join(sentences)


_Protocol = dict[str, str | int | float | bool | list[float]]


def _prompting(how: str, shown: Shown) -> str:
    two = shown.passes == 2
    words = _PROMPTING.get(shown.prompting, "see the protocol below")
    said = words.format(the_pass="each pass" if two else "the pass", of_each=" of each pass" if two else "")
    return f"Prompting was {how}: {said}."


def _reading(protocol: _Protocol) -> str:
    parts = []
    if "resolution_px" in protocol:
        parts.append(f"at {protocol['resolution_px']} pixels a side")
    stride = protocol.get("stride")
    if isinstance(stride, int):
        parts.append(f"{_EVERY.get(stride, f'one slice in {stride}')} in which the region of interest has a mask")
    if "direction" in protocol:
        parts.append(f"from {protocol['direction']}")
    return " " + ", ".join(parts) if parts else ""


def _windows(protocol: _Protocol) -> list[str]:
    shown = []
    for key, name, unit, known in (
        ("ct_window_hu", "CT", "HU", CT_WINDOWS_HU),
        ("pet_window_suv", "PET", "SUVbw", PET_WINDOWS_SUV),
    ):
        window = protocol.get(key)
        if isinstance(window, list) and len(window) == 2:
            called = window_name((window[0], window[1]), known)
            words = f" (window '{called}')" if called is not None else ""
            shown.append(f"{name} from {window[0]:g} to {window[1]:g} {unit}{words}")
    return [f"Grey values: {joined(shown)}."] if shown else []
