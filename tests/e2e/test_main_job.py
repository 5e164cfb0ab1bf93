"""From a cohort table to a report: the whole way, as a user goes it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from e2e_support import Engram, Finished, change, command, times

from engram.config import load_config
from engram.errors import CohortError, StorageError
from engram.pipeline.check import check
from engram.pipeline.console import Silent
from engram.pipeline.embed import embed
from engram.pipeline.evaluate import evaluate
from engram.pipeline.report import report

N, FAULTY = 9, 6


def test_every_stage_ends_with_one_line_saying_where_its_result_is(finished: Finished) -> None:
    results = finished.results
    ends = {
        "check": f"Patients left out: {results / 'exclusions.csv'}",
        "embed": f"Embeddings: {results / 'store'}",
        "evaluate": f"Results: {results / 'results.json'}",
        "report": f"Report: {results / 'report.html'}",
    }
    for stage, end in ends.items():
        done = finished.stages[stage]
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip().splitlines()[-1] == end
    assert f"{N} of {N + FAULTY} patients can be analysed" in finished.stages["check"].stdout


def test_results_hold_the_flow_the_rows_and_the_truth(finished: Finished) -> None:
    content = json.loads((finished.results / "results.json").read_text())
    assert content["flow"]["pool"] == N + FAULTY
    assert [step["excluded"] for step in content["flow"]["steps"]] == [3, 1, 2]
    assert content["flow"]["analysed"] == content["cohort"]["n"] == N
    assert [row["family"] for row in content["rows"]] == ["clinical", "clinical", *2 * ["image", "multimodal"]]
    assert all(len(row["c_index"]) == len(row["true_c_index"]) == 3 for row in content["rows"])
    assert content["provenance"]["untrained_weights"] is True


def test_everyone_left_out_is_listed_with_a_mend(finished: Finished) -> None:
    left_out = pd.read_csv(finished.results / "exclusions.csv")
    assert left_out["patient_id"].nunique() == FAULTY
    assert left_out["mend"].str.len().min() > 10


def test_the_report_names_no_patient(finished: Finished) -> None:
    ids = pd.read_csv(finished.study.parent / "cohort.csv")["patient_id"]
    for name in ("report.html", "quality.html", "images.html"):
        page = (finished.results / name).read_text()
        assert not [name for name in ids if name in page]


def test_a_second_run_reuses_all_that_is_there(copy_of_finished: Finished, engram: Engram) -> None:
    results = copy_of_finished.results
    pages = ("results.json", "out_of_fold_risks.csv", "report.html")
    kept, before = times(results / "store", "*"), [(results / name).read_bytes() for name in pages]
    again = engram("run", copy_of_finished.study, "--workers", 1)
    assert again.returncode == 0, again.stderr
    assert f"0 of {N} patients to do" in again.stdout
    assert times(results / "store", "*") == kept
    assert [(results / name).read_bytes() for name in pages] == before


def test_a_flipped_bit_in_the_store_is_never_read_as_good(copy_of_finished: Finished, engram: Engram) -> None:
    study, before = copy_of_finished.study, copy_of_finished.embeddings()
    name = next(name for name in before if name.endswith(".safetensors"))
    path = copy_of_finished.results / "store" / name[:2] / name
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 4
    path.write_bytes(bytes(damaged))
    read = engram("evaluate", study, "--workers", 1)
    assert read.returncode == 1
    assert str(path) in read.stderr
    assert "Run 'engram embed' again" in read.stderr
    assert engram("store", "verify", study).returncode == 1
    mended = engram("embed", study, "--workers", 1)
    assert f"1 of {N} patients to do" in mended.stdout
    assert copy_of_finished.embeddings() == before


def test_every_read_out_has_rows_of_its_own(copy_of_finished: Finished) -> None:
    study = copy_of_finished.study
    names = ["final", "volume_map", "volume", "roi", "regions", "pointers", "scores", "area"]
    change(
        study,
        embedding={"readouts": names, "quality": False},
        models={"origins": ["PET"], "families": ["image"], "baselines": []},
    )
    config = load_config(study)
    checked = check(config, workers=0, console=Silent())
    embed(config, checked, workers=0, console=Silent())
    rows = evaluate(config, workers=0, console=Silent()).rows
    assert [row.readout for row in rows] == names
    assert [row.head for row in rows] == ["averaging", "averaging", *["PCA"] * 6]


def test_the_tables_do_not_depend_on_the_number_of_workers(copy_of_finished: Finished, engram: Engram) -> None:
    results, found = copy_of_finished.results, []
    for workers in (1, 2):
        shutil.rmtree(results / "cache")
        assert engram("evaluate", copy_of_finished.study, "--workers", workers).returncode == 0
        found.append([(results / name).read_bytes() for name in ("results.json", "out_of_fold_risks.csv")])
    assert found[0] == found[1]


def test_a_kill_in_the_middle_loses_nothing_and_changes_nothing(
    cohort: Path, finished: Finished, engram: Engram
) -> None:
    store = cohort.parent / "results" / "store"
    process = subprocess.Popen(
        command("embed", cohort, "--workers", 1), stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(times(store, "*.safetensors")) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    subprocess.run(["kill", "-KILL", "--", f"-{process.pid}"], check=True)
    assert process.wait() == -signal.SIGKILL
    done = times(store, "*.safetensors")
    assert 3 <= len(done) < N, "the kill came too late or too early to mean anything"

    assert engram("embed", cohort, "--workers", 1).returncode == 0
    assert {path: when for path, when in times(store, "*.safetensors").items() if path in done} == done
    resumed = Finished(cohort, cohort.parent / "results", {}).embeddings()
    assert resumed == finished.embeddings()


def test_a_disk_that_fills_up_is_named_and_nothing_half_written_stays(cohort: Path) -> None:
    # A file size limit gives the same error from the system as a full disk, in the middle of a write.
    limited = ["bash", "-c", 'ulimit -f 20; exec "$@"', "bash", *command("embed", cohort, "--workers", 1)]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "could not be written (File too large). Free some space" in done.stderr
    assert "Traceback" not in done.stderr
    store = cohort.parent / "results" / "store"
    assert not list(store.rglob("*.safetensors"))
    assert not list(store.rglob("*.part"))


@pytest.mark.parametrize(
    ("stage", "kind", "message"),
    [
        (lambda c: evaluate(c, workers=0, console=Silent()), CohortError, "Run 'engram embed'"),
        (report, StorageError, "Run 'engram run' .or 'engram evaluate'. first"),
    ],
)
def test_a_stage_too_early_says_which_comes_first(cohort: Path, stage, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        stage(load_config(cohort))


def test_embeddings_of_another_study_file_are_not_used(copy_of_finished: Finished) -> None:
    text = copy_of_finished.study.read_text()
    copy_of_finished.study.write_text(
        text.replace("weights: untrained-mini", "weights: untrained-mini\n  stride: 1")
    )
    with pytest.raises(CohortError, match=r"has changed since\. Run 'engram embed' again"):
        evaluate(load_config(copy_of_finished.study), workers=0, console=Silent())


def test_help_does_not_import_torch() -> None:
    code = "import sys; from engram.commands import app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([command()[0], "-c", code]).returncode == 0
