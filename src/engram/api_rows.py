"""Rows as a user declares them in Python: what a model sees, and what it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import get_args

from engram.config_models import Family, FusionName, Head
from engram.errors import ConfigError
from engram.evaluation.preprocess import keys_of
from engram.evaluation.rows import AVERAGING, DEEPSURV, FINAL, NONE, PCA, RIDGE_COX, SELECTION, RowSpec
from engram.heads.averaging import SMALLEST_MAP
from engram.table import MAP_READOUTS, OWN, RADIOMICS, EmbeddingKey, PatientFeatures

CLINICAL = "clinical"
MODELS = (RIDGE_COX, DEEPSURV)
HEADS: tuple[str, ...] = get_args(Head)
FUSIONS: tuple[str, ...] = get_args(FusionName)
SMALLEST_MAPS = {AVERAGING: SMALLEST_MAP, "attention": 2}  # pixels either way; other heads read any map


@dataclass(frozen=True)
class Row:
    """One model to be measured.

    sees: "clinical" for all covariates, or some of them by their names, and embeddings by name or EmbeddingKey.
    model: "ridge Cox", which is the default for covariates and vectors, or "DeepSurv", the default for maps. head:
    what makes a vector of an embedding; "PCA" for vectors and, by default, where ridge Cox reads maps; "averaging"
    or another for maps. fusion: of two embeddings of maps: "concatenation" or "gate". name: printed, and part of
    the row's seed.
    """

    sees: tuple[str | EmbeddingKey, ...]
    model: str | None = None
    head: str | None = None
    fusion: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class OwnRow(RowSpec):
    """A row that sees embeddings of the user's own. names: theirs, in the order in which they are fused."""

    names: tuple[str, ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        """The embeddings that the model sees."""
        return self.names


@dataclass(frozen=True)
class _Seen:
    """What a row sees. covariates: "clinical" for all, or names; empty for none."""

    covariates: tuple[str, ...]
    keys: tuple[EmbeddingKey, ...]

    @property
    def only(self) -> tuple[str, ...] | None:
        """The names of its covariates; None for all, and for none."""
        return None if self.covariates in ((), (CLINICAL,)) else self.covariates


def specs_of(rows: Sequence[Row | str] | None, features: PatientFeatures) -> tuple[RowSpec, ...]:
    """The rows, checked against what the table has; all of them, each embedding by itself, for None.

    A text is what a row sees, joined by ' + ', then model, head or fusion after ', ': "mine + clinical, DeepSurv".
    Raises ConfigError naming what is not there and what there is, and rows of one name.
    """
    known = named_embeddings(features)
    if not known and not features.declared:
        raise ConfigError("the table is empty: give StudyTable.from_arrays covariates, embeddings, or both.")
    wanted = _all_rows(known, clinical=bool(features.declared)) if rows is None else _listed(rows)
    specs = [_spec(row, known, features) for row in wanted]
    for spec in specs:
        _check_sizes(spec, features)
    names = [spec.name for spec in specs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"rows: two would be called '{twice[0]}'. Leave one out, or give one a name of its own.")
    return tuple(specs)


def named_embeddings(features: PatientFeatures) -> dict[str, EmbeddingKey]:
    """Every embedding of the table by its name in rows: the user's, or as 'PET spine volume'."""
    return {key.called: key for key in features.embeddings}


def _all_rows(known: Mapping[str, EmbeddingKey], *, clinical: bool) -> list[Row]:
    """The covariates by each model that reads an embedding, so that what it adds to them is compared."""
    maps = any(key.readout in MAP_READOUTS for key in known.values())
    alone = [Row((CLINICAL,)), *[Row((CLINICAL,), model=DEEPSURV)] * maps]
    found = [Row((name,)) for name in known]
    return [*alone, *found, *(Row((name, CLINICAL)) for name in known)] if clinical else found


def _listed(rows: object) -> list[Row]:
    if isinstance(rows, str | Mapping) or not isinstance(rows, Iterable) or not (wanted := list(rows)):
        raise ConfigError(f"rows: expected a list of rows, such as ['clinical'], got {rows!r}.")
    strange = [row for row in wanted if not isinstance(row, str | Row)]
    if strange:
        raise ConfigError(f"rows: {strange[0]!r} is no row. Give a text, such as '{CLINICAL}', or an engram.Row.")
    return [_parsed(row) if isinstance(row, str) else row for row in wanted]


def _check_sizes(spec: RowSpec, features: PatientFeatures) -> None:
    """Raises ConfigError naming an embedding whose maps are too small for the head."""
    least = SMALLEST_MAPS.get(spec.head, 1)
    for key in keys_of(spec) if spec.readout in MAP_READOUTS else ():
        height, width = features.embeddings[key].shape[3:]
        if min(height, width) < least:
            raise ConfigError(
                f"row '{spec.name}': maps of '{key.called}' have {height} x {width} pixels, and head '{spec.head}' "
                f"needs {least} x {least}. Hand them over as vectors (n, p), or let ridge Cox read them."
            )


def _parsed(text: str) -> Row:
    """A row from text."""
    seen, *rest = (part.strip() for part in text.split(","))
    found: dict[str, str] = {}
    for part in rest:
        kind = next((k for k, of in (("model", MODELS), ("head", HEADS), ("fusion", FUSIONS)) if part in of), None)
        if kind is None or kind in found:
            raise ConfigError(
                f"row '{text}': '{part}' after the comma; there one model ({', '.join(MODELS)}), one head "
                f"({', '.join(HEADS)}) and one fusion ({', '.join(FUSIONS)}) may stand."
            )
        found[kind] = part
    return Row(tuple(part.strip() for part in seen.split("+")), **found)


def _spec(row: Row, known: Mapping[str, EmbeddingKey], features: PatientFeatures) -> RowSpec:
    title = row.name or _title(row.sees)
    found = _seen(row, title, known, features)
    keys, clinical, only = found.keys, bool(found.covariates), found.only
    head, model = _model(row, title, keys)
    fusion = _fusion(row, title, keys, head, parts=len(keys) + clinical)
    family: Family = "clinical" if not keys else "multimodal" if clinical else "image"
    seen = " + ".join([*(key.modality for key in keys), *found.covariates])
    name = row.name or _name(seen, keys, head, fusion, model)
    if not keys:
        return RowSpec(name, family, None, NONE, NONE, head, fusion, model, only)
    first = keys[0]
    if first.readout in OWN:
        names = tuple(key.modality for key in keys)
        return OwnRow(name, family, " + ".join(names), NONE, first.readout, head, fusion, model, only, names=names)
    origin = "Combined" if len(keys) > 1 else first.modality
    return RowSpec(name, family, origin, first.roi, first.readout, head, fusion, model, only)


def _title(sees: object) -> str:
    return " + ".join(map(str, sees)) if isinstance(sees, tuple | list) else str(sees)


def _seen(row: Row, title: str, known: Mapping[str, EmbeddingKey], features: PatientFeatures) -> _Seen:
    """Embeddings are PET before CT, else in the order given."""
    names: dict[object, EmbeddingKey | None] = dict(known.items())
    names.update((key, key) for key in known.values())
    names.update(dict.fromkeys([CLINICAL, *features.declared] if features.declared else []))
    several = isinstance(row.sees, tuple | list)
    sees = row.sees if several else ()
    strange = [one for one in sees if not isinstance(one, str | EmbeddingKey) or one not in names]
    if strange or not sees:
        raise ConfigError(f"row '{title}': {_no_such(strange, names)}")
    if len(set(row.sees)) < len(row.sees):
        raise ConfigError(f"row '{title}': it sees one thing twice. Name each once.")
    keys = [key for key in (names[one] for one in row.sees) if key is not None]
    if len({(key.roi, key.readout) for key in keys}) > 1 or len({key.modality for key in keys}) < len(keys):
        raise ConfigError(
            f"row '{title}': a row sees vectors or maps, all of them yours or all of one region and read-out. "
            "Make a row for each, or hand them over under names of your own and in one form."
        )
    covariates = tuple(str(one) for one in row.sees if names[one] is None)
    _check_covariates(covariates, title, known, features)
    if keys and keys[0].readout not in OWN:
        keys.sort(key=lambda key: ("PET", "CT").index(key.modality))
    return _Seen(covariates, tuple(keys))


def _check_covariates(
    seen: Sequence[str], title: str, known: Mapping[str, EmbeddingKey], features: PatientFeatures
) -> None:
    """Raises ConfigError where a name says two things, or a covariate would be seen twice."""
    twofold = next(
        (name for name in seen if name in known or (name == CLINICAL and name in features.declared)), None
    )
    if twofold is not None:
        raise ConfigError(f"row '{title}': '{twofold}' is the name of two things in the table. Rename one of them.")
    if CLINICAL in seen and len(seen) > 1:
        raise ConfigError(
            f"row '{title}': '{CLINICAL}' is all covariates, '{seen[-1]}' one of them. Name one or other."
        )


def _no_such(strange: Sequence[object], names: Iterable[object]) -> str:
    there = [name for name in names if isinstance(name, str)]
    listed = f"the table has {', '.join(there) or 'nothing to see'}"
    if not strange:
        return f"`sees` must be a tuple of names, such as ('{CLINICAL}',); {listed}."
    near = get_close_matches(str(strange[0]), there, n=1)
    meant = f" Did you mean '{near[0]}'?" if near else ""
    return f"sees '{strange[0]}', which is not there; {listed}.{meant}"


def _model(row: Row, title: str, keys: Sequence[EmbeddingKey]) -> tuple[str, str]:
    """Head and survival model, with their defaults, or ConfigError where they do not go together."""
    maps = bool(keys) and keys[0].readout in MAP_READOUTS
    model = row.model or (DEEPSURV if maps and row.head != PCA else RIDGE_COX)
    of_vectors = SELECTION if keys and keys[0].readout == RADIOMICS else PCA
    by_default = NONE if not keys else of_vectors if not maps or model == RIDGE_COX else AVERAGING
    head = row.head or by_default
    possible = [by_default] if by_default != AVERAGING else [h for h in HEADS if h != PCA]
    if model not in MODELS:
        raise ConfigError(f"row '{title}': no model '{model}'; there are {', '.join(MODELS)}.")
    if head not in possible:
        what = "covariates alone" if not keys else "maps" if maps else "vectors"
        heads = "none" if possible == [NONE] else ", ".join(possible)
        raise ConfigError(f"row '{title}': head '{head}' does not go with {what} and {model}; possible: {heads}.")
    return head, model


def _fusion(row: Row, title: str, keys: Sequence[EmbeddingKey], head: str, *, parts: int) -> str:
    gate_possible = len(keys) == 2 and head not in (PCA, SELECTION, NONE)
    if row.fusion not in (None, *FUSIONS) or (row.fusion == "gate" and not gate_possible):
        raise ConfigError(
            f"row '{title}': fusion '{row.fusion}' is not possible here; concatenation is, and a gate mixes two "
            "embeddings of maps that DeepSurv reads."
        )
    return (row.fusion or "concatenation") if parts > 1 else NONE


def _name(seen: str, keys: Sequence[EmbeddingKey], head: str, fusion: str, model: str) -> str:
    """As rows of a study file are called: what is not the default is said."""
    if not keys:
        return f"{'Clinical' if seen == CLINICAL else seen}, {model}"
    first = keys[0]
    maps = first.readout in MAP_READOUTS
    place = [] if first.readout in OWN else [first.roi, *([] if first.readout == FINAL else [first.readout])]
    said = [seen, *place, *([head] if maps and head != AVERAGING else []), *(["gate"] if fusion == "gate" else [])]
    return ", ".join([*said, *([model] if not maps and model != RIDGE_COX else [])])
