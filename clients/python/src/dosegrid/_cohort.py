"""Many studies, one table. The program does the work (`dosegrid cohort`); this starts it, hears of its progress, and
reads what it wrote."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import re
import shutil
import tempfile
from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Optional, Sequence, Union

from . import _cohort_run, _errors, _progress
from ._calls import Cancel, Deadline, check_cancel
from ._server import program

PathLike = Union[str, "os.PathLike[str]"]
#: A file, or a row a study: `study` and what else the columns of a manifest are.
Manifest = Union[PathLike, Sequence[Mapping[str, Any]], Any]

_LINE = re.compile(r"line (\d+)")
#: Line of the manifest that the first row becomes.
_FIRST_LINE = 2
#: Columns of text; `outlier` is a bool, `_WHOLE` are integers, and all others real numbers.
_TEXTS = {
    "patient", "study", "centre", "cycle", "nuclide", "organ", "model", "flags", "method", "version", "commit",
    "nuclide_data_sha256", "inputs_sha256", "dose_sha256", "state", "reason",
}  # fmt: skip
_WHOLE = {"label", "time_points", "line", "organs", "warnings"}


@dataclass(frozen=True)
class Cohort:
    """What became of many studies."""

    #: The folder of all results: cohort.csv, studies.csv, cohort.html and what `dosegrid study` wrote of each.
    output: pathlib.Path
    #: A row for each study of the manifest: pseudonyms, `state` (done, failed or left), `reason`, `seconds`.
    studies: list[dict[str, Any]]
    #: A row for each organ of each study that is done. Units stand in the names; what does not exist is none.
    organs: list[dict[str, Any]]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The rows of studies that failed, each with its `reason`."""
        return [row for row in self.studies if row["state"] == "failed"]

    @property
    def page(self) -> pathlib.Path:
        """A page of how the doses spread, for a browser."""
        return self.output / "cohort.html"

    def folder(self, study: str) -> pathlib.Path:
        """All results of a study by its pseudonym. They name the patient."""
        return self.output / "studies" / study

    @property
    def parquet(self) -> pathlib.Path:
        """The same rows as `organs` as Parquet, with a type for each column."""
        return self.output / "cohort.parquet"

    def to_parquet(self, path: PathLike) -> None:
        """Copies `parquet` to another place."""
        shutil.copyfile(self.parquet, path)


def _kind(column: str) -> str:
    if column in _TEXTS:
        return "text"
    return "bool" if column == "outlier" else "whole" if column in _WHOLE else "real"


def _value(column: str, text: str) -> Any:
    if column in _TEXTS:
        return text
    if not text:
        return None
    kind = _kind(column)
    return text == "true" if kind == "bool" else int(text) if kind == "whole" else float(text)


def _table(path: pathlib.Path) -> list[dict[str, Any]]:
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: _value(name, text) for name, text in row.items()} for row in csv.DictReader(file)]


def _cell(value: Any) -> str:
    """A value as it stands in a manifest; what is missing is empty, NaN and NA of data frames too."""
    # NA is not unlike itself: it does not say whether it is, nor is it true or false.
    if value is None or type(value).__name__ == "NAType" or value != value:
        return ""
    # A column of whole numbers in which one is missing holds real ones: patient 7 is not patient 7.0.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _checked(manifest: Any) -> list[Mapping[str, Any]]:
    """The rows of a manifest.

    :raises InvalidRequest: names those that are none
    """
    if isinstance(manifest, Mapping) or not isinstance(manifest, Iterable):
        reason = f"is a file, a data frame, or a list of a mapping for each study; got {type(manifest).__name__}"
        raise _errors.of_fields([_errors.FieldError("manifest", reason)])
    rows = list(manifest)
    faults = [
        _errors.FieldError(f"manifest[{index}]", f"is a mapping of columns to values, got {type(row).__name__}")
        for index, row in enumerate(rows)
        if not isinstance(row, Mapping)
    ]
    for index, row in enumerate(rows):
        for name, value in row.items() if isinstance(row, Mapping) else ():
            if isinstance(value, (list, tuple, Mapping)):
                reason = f'is one text, such as "--method kernel" of options; got {type(value).__name__}'
                faults.append(_errors.FieldError(f"manifest[{index}].{name}", reason))
    if faults:
        raise _errors.of_fields(faults)
    return rows


def _write_manifest(rows: Sequence[Mapping[str, Any]], is_of_folders: bool, path: pathlib.Path) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        for row in rows:
            cells = {name: _cell(row.get(name)) for name in columns}
            if is_of_folders and cells.get("study"):
                cells["study"] = os.path.abspath(cells["study"])
            table.writerow([cells[name] for name in columns])


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_toml(one)}" for name, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _write_tissues(tissues: Mapping[str, Mapping[str, Any]], path: pathlib.Path) -> None:
    text = ""
    for organ, tissue in tissues.items():
        lines = [f"{name} = {_toml(value)}" for name, value in {"organ": organ, **tissue}.items()]
        text += "\n".join(["[[tissue]]", *lines, ""])
    path.write_text(text, encoding="utf-8")


def _files(
    manifest: Manifest, tissues: Any, is_of_folders: bool, folder: pathlib.Path
) -> tuple[PathLike, Optional[PathLike], bool]:
    """Manifest and tissues as files, and whether the manifest was given as rows."""
    if isinstance(tissues, Mapping):
        _write_tissues(tissues, folder / "tissues.toml")
        tissues = folder / "tissues.toml"
    if isinstance(manifest, (str, os.PathLike)):
        return manifest, tissues, False
    rows = _checked(manifest.to_dict("records") if hasattr(manifest, "to_dict") else manifest)
    _write_manifest(rows, is_of_folders, folder / "manifest.csv")
    return folder / "manifest.csv", tissues, True


def _fault(text: str, is_of_rows: bool) -> _errors.FieldError:
    field, _, reason = text.partition(": ")
    line = _LINE.fullmatch(field)
    if line and is_of_rows and int(line[1]) >= _FIRST_LINE:
        field = f"manifest[{int(line[1]) - _FIRST_LINE}]"
    return _errors.FieldError(field, reason)


def cohort(
    manifest: Manifest,
    output: PathLike,
    *,
    jobs: int = 1,
    tissues: Union[PathLike, Mapping[str, Mapping[str, Any]], None] = None,
    salt: Optional[PathLike] = None,
    dry_run: bool = False,
    server: Optional[str] = None,
    token: Optional[str] = None,
    ca: Optional[PathLike] = None,
    certificate: Optional[PathLike] = None,
    key: Optional[PathLike] = None,
    dicom_web: Optional[str] = None,
    dicom_web_token: Optional[str] = None,
    dicom_web_ca: Optional[PathLike] = None,
    progress: _progress.OnProgress = None,
    timeout: Optional[float] = None,
    cancel: Optional[Cancel] = None,
) -> Cohort:
    """Runs many studies through `dosegrid study` and makes one table of their organ doses, as `dosegrid cohort` does
    (docs/cohort.md). The same call again goes on with what is not done. A study that fails is a row of `failed`, and
    no error.

    :param manifest: a CSV file; or a row a study, as dictionaries or a data frame, with `study` (a folder of DICOM
        files; with `dicom_web` a UID or a question) and where wanted `patient`, `centre`, `cycle`, `nuclide`,
        `administered_mbq` in MBq, `injection`, and `options`, other flags of `dosegrid study`
    :param output: folder for all results; it is made if it is not there
    :param jobs: studies at a time; each takes its own memory
    :param tissues: α/β in Gy and repair of organs by name, `{"left kidney": {"alpha_beta_gy": 2.6,
        "repair_half_time_h": 2.8}}`, or a TOML file: gives BED and EQD2
    :param salt: file with the secret that pseudonyms are made with; else `output`/salt, made if it is not there
    :param dry_run: only ask each study what would be done; both tables are empty then
    :param server: leave doses to this server, such as https://dose.example:50051; else they are computed here.
        DOSEGRID_SERVER does not count
    :param token: to call it with; else DOSEGRID_TOKEN
    :param ca, certificate, key: PEM files of its authorities and of the caller
    :param dicom_web: DICOMweb server that studies come from, with `dicom_web_token` and `dicom_web_ca`
    :param progress: hears of a `Progress` after each study; `True` shows a bar
    :param timeout: longest time for all of it, in s; what is done then is kept
    :param cancel: ends it from another thread; what is done is kept
    :raises InvalidRequest: names every fault, those of rows as `manifest[0]`
    :raises Timeout, Cancelled: if it was ended before all was done
    :raises Unavailable: without the program
    """
    # What is no time, and what cannot cancel, would be found out when it is too late.
    Deadline(timeout)
    check_cancel(cancel)
    flags = {
        "output": output, "jobs": jobs, "salt": salt, "server": server, "ca": ca, "client-certificate": certificate,
        "client-key": key, "dicom-web": dicom_web, "dicom-web-ca": dicom_web_ca,
    }  # fmt: skip
    secrets = {"DOSEGRID_TOKEN": token, "DOSEGRID_DICOM_WEB_TOKEN": dicom_web_token}
    with tempfile.TemporaryDirectory(prefix="dosegrid-") as folder, _progress.listener(progress) as listen:
        path, of_tissues, is_of_rows = _files(manifest, tissues, dicom_web is None, pathlib.Path(folder))
        flags["tissues"] = of_tissues
        words = [f"--{name}={os.fspath(value) if isinstance(value, os.PathLike) else value}"
                 for name, value in flags.items() if value is not None]  # fmt: skip
        words += ["--dry-run"] if dry_run else []
        command = [program(), "cohort", os.fspath(path), "--end-with-stdin", *words]
        faults = _cohort_run.watched(
            command, {name: text for name, text in secrets.items() if text}, listen, timeout, cancel
        )
    if faults is not None:
        raise _errors.of_fields([_fault(text, is_of_rows) for text in faults])
    done = pathlib.Path(output)
    if dry_run:
        return Cohort(done, [], [])
    return Cohort(done, _table(done / "studies.csv"), _table(done / "cohort.csv"))
