"""`engram sensitivity`: what disturbed prompts, masks and registration change, written to sensitivity.json."""

from __future__ import annotations

from dataclasses import dataclass

from engram.config import StudyConfig
from engram.errors import CohortError, ConfigError, WeightsError
from engram.evaluation.folds import study_folds
from engram.evaluation.preprocess import keys_of
from engram.evaluation.robustness_records import PromptSensitivity, save_sensitivity
from engram.evaluation.rows import RowSpec, rows_of
from engram.explain.prompt_variants import PromptVariant, prompt_variants
from engram.memory.backbone import Sam2Backbone
from engram.memory.store import EmbeddingStore
from engram.memory.weights import CheckedWeights, check_weights, load_checked
from engram.pipeline.console import Console
from engram.pipeline.disturbed import Asked, DisturbedJob, embed_disturbed
from engram.pipeline.disturbed_rows import Disturbances, Keys, compared, protocol_of_rows
from engram.pipeline.embedded import Embedded
from engram.pipeline.evaluate import Inputs, as_evaluated, hashes_of, study_inputs
from engram.pipeline.folders import RunFolder
from engram.pipeline.requests import Disturbed, Request, requests_of, weights_of
from engram.table import EmbeddingKey


@dataclass(frozen=True, eq=False)
class Planned:
    """What is to be done. config: the study as it was evaluated. keys: of each variant and patient, where each
    embedding lies. jobs: of patients with something to be read. embeddings: how many there are in all."""

    config: StudyConfig
    inputs: Inputs
    embedded: Embedded
    weights: CheckedWeights
    backbone: Sam2Backbone
    specs: tuple[RowSpec, ...]
    variants: list[PromptVariant]
    keys: dict[str, Keys]
    jobs: list[DisturbedJob]
    embeddings: int

    @property
    def missing(self) -> int:
        """Embeddings that are not in the store yet."""
        return sum(len(one.requests) for job in self.jobs for one in job.asked)


def planned(config: StudyConfig) -> Planned:
    """All that `prompt_sensitivity` would do. Raises ConfigError where there is nothing to compare, CohortError
    where the study is not embedded yet, WeightsError, StorageError."""
    config = as_evaluated(config)
    if config.images is None or not config.embedding.readouts:
        raise ConfigError(f"study '{config.name}' reads no memory: there is no prompt to disturb.")
    specs, variants = compared_rows(config), prompt_variants(config)
    if not variants:
        raise ConfigError("robustness leaves out every variant: keep one, or do not run this.")
    inputs = study_inputs(config)
    embedded = inputs.embedded
    if embedded is None:
        raise CohortError("the study is not embedded yet. Run 'engram embed' first.")
    weights, backbone = _loaded(config, embedded)
    needed = {key for spec in specs for key in keys_of(spec)}
    store = EmbeddingStore(config.store_dir)
    keys: dict[str, Keys] = {variant.name: {} for variant in variants}
    jobs = []
    for record in inputs.cohort.records:
        digests, asked = embedded.digests[record.patient_id], []
        for variant in variants:
            wanted = _requests(config, variant, digests, backbone, needed)
            keys[variant.name][record.patient_id] = {_key_of(r): r.key for r in wanted}
            asked.append(Asked(variant, tuple(r for r in wanted if not store.sound(r.key))))
        if any(one.requests for one in asked):
            jobs.append(DisturbedJob(record, digests, tuple(one for one in asked if one.requests)))
    in_all = len({key for patients in keys.values() for of in patients.values() for key in of.values()})
    return Planned(config, inputs, embedded, weights, backbone, specs, variants, keys, jobs, in_all)


def compared_rows(config: StudyConfig) -> tuple[RowSpec, ...]:
    """The rows that `robustness.rows` names, or all image rows of the memory. Raises ConfigError where a name is of
    no row that reads the memory, or there is none."""
    of_memory = {spec.name: spec for spec in rows_of(config) if spec.readout in config.embedding.readouts}
    names = config.robustness.rows
    if names is None:
        names = tuple(name for name, spec in of_memory.items() if spec.family == "image")
    unknown = [name for name in names if name not in of_memory]
    if unknown or not names:
        which = f"'{unknown[0]}' is none of them" if unknown else "none is named"
        raise ConfigError(f"robustness.rows takes rows that read the memory, and {which}: {', '.join(of_memory)}.")
    return tuple(of_memory[name] for name in dict.fromkeys(names))


def _loaded(config: StudyConfig, embedded: Embedded) -> tuple[CheckedWeights, Sam2Backbone]:
    wanted = config.embedding
    weights = check_weights(weights_of(config), wanted.resolution)
    backbone = load_checked(weights, device=wanted.device, name=wanted.weights_name)
    if backbone.digest != embedded.weights_digest:
        raise WeightsError(
            f"{wanted.weights}: other weights than those of the study's embeddings. Run 'engram embed' again."
        )
    return weights, backbone


def _requests(
    config: StudyConfig,
    variant: PromptVariant,
    digests: dict[str, str],
    backbone: Sam2Backbone,
    needed: set[EmbeddingKey],
) -> list[Request]:
    recipe = None if variant.mask is None else variant.mask.recipe
    disturbed = Disturbed(recipe, variant.pet_shift_mm)
    found = requests_of(variant.of(config), digests, backbone, disturbed)
    return [request for request in found if _key_of(request) in needed]


def _key_of(request: Request) -> EmbeddingKey:
    return EmbeddingKey(request.modality, request.roi, request.readout)


def prompt_sensitivity(config: StudyConfig, *, workers: int, console: Console) -> PromptSensitivity:
    """Read every variant, compare it with the study's own reading, and write sensitivity.json.

    May be killed at any moment: patients that were read, and rows that were fitted on a fold, are kept. Raises as
    `planned`, and as 'engram evaluate'.
    """
    todo = planned(config)
    config, inputs = todo.config, todo.inputs
    console.say(in_words(todo))
    left_out = embed_disturbed(config, todo.weights, todo.jobs, workers=workers, console=console)
    for one in left_out:
        console.say(f"left out of '{one.variant}': {one.error}")
    table, folds = inputs.assembled.table, study_folds(inputs.assembled.table, config.evaluation)
    disturbances = Disturbances(config, table, todo.specs, folds, todo.variants, todo.keys, left_out)
    variants = compared(disturbances, workers=workers, console=console)
    found = PromptSensitivity(
        study=config.name,
        patients=len(table),
        rows=[spec.name for spec in todo.specs],
        protocol=protocol_of_rows(config),
        untrained_weights=todo.embedded.untrained,
        settings=config.robustness.model_dump(mode="json"),
        variants=variants,
        hashes=hashes_of(config, inputs, folds),
    )
    save_sensitivity(found, RunFolder.of(config).sensitivity)
    return found


def in_words(todo: Planned) -> str:
    """How much work it is, in a line."""
    patients, rows = len(todo.inputs.cohort.records), len(todo.specs)
    return (
        f"{len(todo.variants)} variants of {patients} patients for {rows} row(s): {todo.embeddings} embeddings, "
        f"{todo.missing} of them not made yet"
    )
