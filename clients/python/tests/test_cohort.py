"""Many studies: the tables of the command, failures as rows, and an end that leaves nothing behind."""

from __future__ import annotations

import csv
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from conftest import children
from test_server import is_running

import dosegrid
from dosegrid import _cohort

#: A study in a second, and one that does not end by itself.
QUICK, ENDLESS = "--method local", "--histories 1e11"
TISSUES = {"left kidney": {"alpha_beta_gy": 2.6, "repair_half_time_h": 2.8}}
#: Longest wait for a process to end, in s.
PATIENCE_S = 60.0


@pytest.fixture(scope="session")
def study(program: str, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder of DICOM files of a phantom."""
    folder = tmp_path_factory.mktemp("phantom")
    words = ["--dicom", "--shape", "16,16,12", "--method", "local", "--quiet", "--output-dir", str(folder)]
    subprocess.run([program, "demo", "--device", "cpu", *words], check=True)
    return folder / "dicom"


def rows_of(study: pathlib.Path, options: str = QUICK, count: int = 2) -> list[dict[str, Any]]:
    return [{"study": study, "patient": f"Doe {n}", "cycle": n + 1, "options": options} for n in range(count)]


def test_rows_give_the_tables_of_the_command(program: str, study: pathlib.Path, tmp_path: pathlib.Path) -> None:
    salt = tmp_path / "salt"
    salt.write_bytes(b"0123456789abcdef")
    rows = rows_of(study)
    for row in rows:
        row["study"] = shutil.copytree(study, tmp_path / "scans" / row["patient"])
    with open(tmp_path / "manifest.csv", "w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    words = ["cohort", tmp_path / "manifest.csv", "--output", tmp_path / "command", "--salt", salt, "--jobs", "2"]
    subprocess.run([program, *map(str, words)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    heard: list[dosegrid.Progress] = []
    found = dosegrid.cohort(rows, tmp_path / "client", salt=salt, jobs=2, progress=heard.append)
    assert (found.output / "cohort.csv").read_bytes() == (tmp_path / "command" / "cohort.csv").read_bytes()
    assert [progress.fraction for progress in heard] == [0.5, 1.0] and heard[-1].time_left_s == 0.0
    assert [row["state"] for row in found.studies] == ["done", "done"] and not found.failed
    kidneys = [row for row in found.organs if row["organ"] == "left kidney"]
    assert [row["cycle"] for row in kidneys] == ["1", "2"] and kidneys[0]["mean_by_mass_gy"] > 1.0
    assert kidneys[0]["mean_by_mass_gy"] == kidneys[1]["mean_by_mass_gy"] and kidneys[0]["time_points"] == 3
    assert kidneys[0]["outlier"] is False and kidneys[0]["alpha_beta_gy"] is None
    assert found.page.exists() and (found.folder(kidneys[0]["study"]) / "dose.dcm").exists()

    # Again: nothing is left to do. BED needs no dose anew.
    heard.clear()
    more = dosegrid.cohort(rows, tmp_path / "client", salt=salt, tissues=TISSUES, progress=heard.append)
    kidney = next(row for row in more.organs if row["organ"] == "left kidney")
    dose, half_life_h = kidney["mean_by_mass_gy"], kidney["effective_half_life_h"]
    bed = dose + 2.8 / (2.8 + half_life_h) * dose**2 / 2.6
    assert not heard and math.isclose(kidney["bed_of_mean_dose_gy"], bed, rel_tol=1e-9)


def test_the_table_as_parquet(study: pathlib.Path, tmp_path: pathlib.Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    found = dosegrid.cohort(rows_of(study, count=1), tmp_path / "out")
    found.to_parquet(tmp_path / "cohort.parquet")
    table = parquet.read_table(tmp_path / "cohort.parquet")
    assert table.to_pylist() == found.organs and len(found.organs) > 5
    kinds = {field.name: str(field.type) for field in table.schema}
    assert (kinds["organ"], kinds["label"], kinds["outlier"], kinds["d98_gy"]) == ("string", "int64", "bool", "double")


def test_the_example_of_the_page(study: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    page = pathlib.Path(__file__).resolve().parents[3] / "docs" / "cohort.md"
    source = page.read_text().partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    for number in "4711", "4712":
        shutil.copytree(study, tmp_path / "scans" / number)
    exec(compile(source, page.name, "exec"), {})
    found = parquet.read_table("trial.parquet").to_pylist()
    assert {row["method"] for row in found} == {"kernel"} and len({row["patient"] for row in found}) == 2
    assert [row["bed_of_mean_dose_gy"] is not None for row in found] == [row["organ"] == "left kidney" for row in found]


def test_a_study_that_fails_is_a_row(study: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "empty").mkdir()
    rows = [*rows_of(study, count=1), {"study": tmp_path / "empty"}]
    found = dosegrid.cohort(rows, tmp_path / "out")
    assert [row["line"] for row in found.failed] == [3] and "no folder of DICOM" in found.failed[0]["reason"]
    assert len({row["study"] for row in found.organs}) == 1
    with pytest.raises(dosegrid.InvalidRequest) as caught:
        dosegrid.cohort(rows, tmp_path / "out", dry_run=True)
    assert [fault.field for fault in caught.value.fields] == ["manifest[1]"]
    assert dosegrid.cohort(rows[:1], tmp_path / "out", dry_run=True).studies == []


def test_every_fault_has_its_row(study: pathlib.Path, tmp_path: pathlib.Path) -> None:
    rows = [{"study": study, "nuclide": "Xx-1"}, {"study": tmp_path / "nowhere", "nuclide": float("nan")}]
    with pytest.raises(dosegrid.InvalidRequest) as caught:
        dosegrid.cohort(rows, tmp_path / "out", jobs=0, tissues={"liver": {"repair_half_time_h": 2.8}})
    fields = [fault.field for fault in caught.value.fields]
    assert sorted(fields) == ["jobs", "manifest[0]", "manifest[1]", "tissues"], caught.value
    assert not (tmp_path / "out").exists()
    with pytest.raises(dosegrid.InvalidRequest, match='column "folder" is not known'):
        dosegrid.cohort([{"folder": study}], tmp_path / "out")


def test_what_is_raised_here_ends_it_and_it_goes_on(study: pathlib.Path, tmp_path: pathlib.Path) -> None:
    def raising(progress: dosegrid.Progress) -> None:
        raise KeyError("mine")

    rows = [*rows_of(study, count=1), *rows_of(study, ENDLESS, count=1)]
    with pytest.raises(KeyError, match="mine"):
        dosegrid.cohort(rows, tmp_path / "out", progress=raising)
    assert not [pid for pid in children(os.getpid()) if is_cohort(pid)]
    with pytest.raises(dosegrid.Timeout):
        dosegrid.cohort(rows, tmp_path / "out", timeout=1.0)
    cancel = dosegrid.Cancel()
    threading.Timer(1.0, cancel.cancel).start()
    with pytest.raises(dosegrid.Cancelled):
        dosegrid.cohort(rows, tmp_path / "out", cancel=cancel)
    # What was done is kept.
    heard: list[dosegrid.Progress] = []
    assert dosegrid.cohort(rows[:1], tmp_path / "out", progress=heard.append).studies[0]["state"] == "done"
    assert not heard


def is_cohort(pid: int) -> bool:
    """Whether a process is a cohort."""
    command = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True).stdout
    return " cohort " in command


def test_it_ends_with_its_parent(study: pathlib.Path, tmp_path: pathlib.Path) -> None:
    script = (
        "import sys, dosegrid\n"
        f"dosegrid.cohort([{{'study': sys.argv[1], 'options': {ENDLESS!r}}}], sys.argv[2], progress=print)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(study), str(tmp_path / "out")])
    end = time.monotonic() + PATIENCE_S
    running: list[int] = []
    while len(running) < 2 and time.monotonic() < end:
        time.sleep(0.05)
        of_parent = children(parent.pid)
        running = of_parent + [pid for one in of_parent for pid in children(one)]
    assert len(running) >= 2 and parent.poll() is None
    parent.send_signal(signal.SIGKILL)
    parent.wait(PATIENCE_S)
    while any(map(is_running, running)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [pid for pid in running if is_running(pid)]


class Frame:
    """What a data frame with gaps gives: whole numbers are real ones there, and NA is unlike nothing."""

    def to_dict(self, how: str) -> list[dict[str, Any]]:
        class NAType:
            def __ne__(self, other: object) -> Any:
                return self

            def __bool__(self) -> bool:
                raise TypeError("boolean value of NA is ambiguous")

        assert how == "records"
        first = {"study": "a", "patient": 4711.0, "cycle": 2.0, "administered_mbq": 7412.5, "centre": NAType()}
        return [first, {**first, "patient": math.nan, "cycle": math.nan}]


def test_a_frame_with_gaps_keeps_its_numbers(tmp_path: pathlib.Path) -> None:
    path, _, is_of_rows = _cohort._files(Frame(), None, False, tmp_path)
    assert is_of_rows and pathlib.Path(path).read_text().splitlines() == [
        "study,patient,cycle,administered_mbq,centre",
        "a,4711,2,7412.5,",
        "a,,,7412.5,",
    ]


@pytest.mark.parametrize(
    "manifest, fields",
    [
        ({"study": "a"}, ["manifest"]),
        (5, ["manifest"]),
        ([{"study": "a"}, "b"], ["manifest[1]"]),
        ([{"study": "a", "options": ["--method", "local"]}], ["manifest[0].options"]),
    ],
)
def test_what_is_no_manifest_is_named(manifest: Any, fields: list[str], tmp_path: pathlib.Path) -> None:
    with pytest.raises(dosegrid.InvalidRequest) as caught:
        dosegrid.cohort(manifest, tmp_path / "out")
    assert [fault.field for fault in caught.value.fields] == fields and not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments, field", [({"timeout": "5 min"}, "timeout"), ({"cancel": True}, "cancel")])
def test_what_cannot_end_a_cohort_is_named(arguments: Any, field: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(dosegrid.InvalidRequest) as caught:
        dosegrid.cohort([{"study": tmp_path}], tmp_path / "out", **arguments)
    assert [fault.field for fault in caught.value.fields] == [field] and not (tmp_path / "out").exists()
