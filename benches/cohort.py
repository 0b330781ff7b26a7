#!/usr/bin/env python3
"""Time and memory of `dosegrid cohort`: many studies that are made of one patient, each different.

    python3 benches/cohort.py PATIENT --studies 500 [--jobs 2] [--method kernel] [--folder DIR]

PATIENT is a folder with ct_hu.nii.gz, activity_bq.nii.gz and labels.nii.gz on one grid. From it come a CT and a
segmentation, which all studies share as hard links, and for each study three SPECT images (NM) 24, 96 and 168 h after
the injection. Each study has an uptake and an effective half-life of its own in every organ (log-normal, 30 % and 15 %
wide), an administered activity of its own, and noise of its own; four studies are cycles of one patient, and there are
five centres. Seeds follow the number of the study: the same number is the same study every time.

The manifest is then given to `dosegrid cohort`; run again with the same --folder, it goes on where it was. What is
printed is of that command with all its processes. Needs numpy, nibabel and pydicom. For Linux and macOS.
"""

import argparse
import csv
import datetime
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

HOURS = (24.0, 96.0, 168.0)
INJECTED = datetime.datetime(2026, 1, 5, 9, 0, 0)
CENTRES = ("Bern", "Lyon", "Oslo", "Porto", "Turin")
CYCLES = 4
ADMINISTERED_MBQ, ADMINISTERED_WIDTH = 7400.0, 0.03
UPTAKE_WIDTH, HALF_LIFE_WIDTH, NOISE = 0.30, 0.15, 0.10
# Effective half-lives by label [h]: liver, spleen, kidneys, tumours.
HALF_LIVES_H = {1: 67.0, 2: 67.0, 3: 50.0, 4: 50.0, 5: 77.0, 6: 77.0, 7: 77.0}
NAMES = "1,liver\n2,spleen\n3,left kidney\n4,right kidney\n5,tumour 1\n6,tumour 2\n7,tumour 3\n"
KIDNEY = "alpha_beta_gy = 2.6\nrepair_half_time_h = 2.8\n"
TISSUES = "".join(f'[[tissue]]\norgan = "{side} kidney"\n{KIDNEY}' for side in ("left", "right"))
CT_CLASS, NM_CLASS = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.20"
MOST = 65535


def uid(*key):
    """A UID that follows from a key."""
    return "2.25." + str(int(hashlib.sha256(repr(key).encode()).hexdigest()[:30], 16))


def decimal(number):
    """A decimal string of at most 16 characters."""
    return next(text for text in (f"{float(number):.{digits}g}" for digits in range(16, 0, -1)) if len(text) <= 16)


def item(**values):
    found = Dataset()
    for name, value in values.items():
        setattr(found, name, value)
    return found


def code(value, scheme, meaning):
    return Sequence([item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)])


class Patient:
    """The volumes, and where they lie."""

    def __init__(self, folder):
        image = nibabel.load(folder / "activity_bq.nii.gz")
        self.activity_bq = np.asarray(image.dataobj, np.float64)
        self.hu = np.asarray(nibabel.load(folder / "ct_hu.nii.gz").dataobj)
        self.labels = np.asarray(nibabel.load(folder / "labels.nii.gz").dataobj).astype(int)
        self.lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
        self.spacing_mm = np.linalg.norm(self.lps[:3, :3], axis=0)
        self.voxel_ml = float(np.prod(self.spacing_mm)) / 1000
        row, column = (self.lps[:3, axis] / self.spacing_mm[axis] for axis in (0, 1))
        self.orientation = [decimal(number) for number in (*row, *column)]
        self.pixel_spacing = [decimal(self.spacing_mm[1]), decimal(self.spacing_mm[0])]
        # Frames run along row × column.
        slices = range(self.hu.shape[2])
        runs_along = np.cross(row, column) @ self.lps[:3, 2] > 0
        self.slices = list(slices if runs_along else reversed(slices))

    def position(self, k):
        return [decimal(number) for number in (self.lps @ [0, 0, k, 1])[:3]]


def header(modality, kind, series, number, at):
    date, moment = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    return item(
        SpecificCharacterSet="ISO_IR 100", SOPClassUID=kind, SOPInstanceUID=uid(series, number), Modality=modality,
        StudyDate=date, StudyTime=moment, SeriesDate=date, SeriesTime=moment, AcquisitionDate=date,
        AcquisitionTime=moment, ContentDate=date, ContentTime=moment, AccessionNumber="", Manufacturer="bench",
        ReferringPhysicianName="", PatientName="Bench", PatientID="bench", PatientBirthDate="", PatientSex="O",
        StudyInstanceUID=uid("study"), SeriesInstanceUID=uid("series", series), StudyID="1", SeriesNumber="1",
        InstanceNumber=str(number + 1), FrameOfReferenceUID=uid("frame"), PositionReferenceIndicator="",
        PatientPosition="HFS",
    )  # fmt: skip


def pixels(data, values, is_signed):
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    if values.ndim == 3:
        data.NumberOfFrames = len(values)
    data.Rows, data.Columns = values.shape[-2:]
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, int(is_signed)
    data.add_new(0x7FE00010, "OW", values.astype("<i2" if is_signed else "<u2").tobytes())


def save(data, path):
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(path, enforce_file_format=True, implicit_vr=False, little_endian=True)


def write_ct(patient, folder):
    at = INJECTED + datetime.timedelta(hours=HOURS[0])
    for number, k in enumerate(patient.slices):
        data = header("CT", CT_CLASS, "ct", number, at)
        data.ImageType, data.KVP, data.AcquisitionNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], "120", "1"
        data.ImagePositionPatient, data.ImageOrientationPatient = patient.position(k), patient.orientation
        data.PixelSpacing, data.SliceThickness = patient.pixel_spacing, decimal(patient.spacing_mm[2])
        data.RescaleSlope, data.RescaleIntercept, data.RescaleType = "1", "0", "HU"
        pixels(data, patient.hu[:, :, k].T, is_signed=True)
        save(data, folder / f"ct{number:03}.dcm")


def write_spect(patient, bq_per_ml, series, hours, administered_mbq, path):
    data = header("NM", NM_CLASS, series, 0, INJECTED + datetime.timedelta(hours=hours))
    slope = float(bq_per_ml.max()) / MOST
    frames = np.rint(bq_per_ml[:, :, patient.slices].transpose(2, 1, 0) / slope)
    data.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    pixels(data, frames, is_signed=False)
    data.PixelSpacing, data.SliceThickness = patient.pixel_spacing, decimal(patient.spacing_mm[2])
    data.SpacingBetweenSlices = decimal(patient.spacing_mm[2])
    data.FrameIncrementPointer = pydicom.tag.Tag(0x00540080)
    data.SliceVector, data.NumberOfSlices = list(range(1, len(frames) + 1)), len(frames)
    data.NumberOfEnergyWindows, data.NumberOfDetectors, data.NumberOfRotations = 1, 1, 1
    place = item(ImagePositionPatient=patient.position(patient.slices[0]), ImageOrientationPatient=patient.orientation)
    place.CollimatorType, place.FieldOfViewShape = "PARA", "RECTANGLE"
    data.DetectorInformationSequence = Sequence([place])
    window = item(EnergyWindowLowerLimit="187.2", EnergyWindowUpperLimit="228.8")
    window = item(EnergyWindowName="208", EnergyWindowRangeSequence=Sequence([window]))
    data.EnergyWindowInformationSequence = Sequence([window])
    turn = item(RotationDirection="CW", ScanArc="360", AngularStep="6", ActualFrameDuration="20000", StartAngle="0")
    turn.NumberOfFramesInRotation = 60
    data.RotationInformationSequence = Sequence([turn])
    drug = item(Radiopharmaceutical="DOTATATE", RadiopharmaceuticalStartDateTime=INJECTED.strftime("%Y%m%d%H%M%S.00"))
    drug.RadionuclideTotalDose = decimal(1e6 * administered_mbq)
    drug.RadionuclideCodeSequence = code("447553000", "SCT", "^177^Lutetium")
    data.RadiopharmaceuticalInformationSequence = Sequence([drug])
    values = item(RealWorldValueIntercept=0.0, RealWorldValueSlope=slope, LUTExplanation="activity", LUTLabel="BQML")
    values.MeasurementUnitsCodeSequence = code("Bq/ml", "UCUM", "Becquerels/milliliter")
    values.add_new(0x00409216, "US", 0)
    values.add_new(0x00409211, "US", MOST)
    data.RealWorldValueMappingSequence = Sequence([values])
    save(data, path)


def write_study(patient, number, shared, folder):
    """A study of its own: all that differs from the patient follows from its number."""
    random = np.random.default_rng(number)
    administered_mbq = ADMINISTERED_MBQ * float(np.exp(random.normal(0, ADMINISTERED_WIDTH)))
    first_bq = patient.activity_bq * administered_mbq / ADMINISTERED_MBQ
    rates = np.zeros(8)
    uptakes = np.exp(random.normal(0, UPTAKE_WIDTH, 8))
    for label, half_life_h in HALF_LIVES_H.items():
        rates[label] = np.log(2) / (half_life_h * np.exp(random.normal(0, HALF_LIFE_WIDTH)))
    folder.mkdir(parents=True, exist_ok=True)
    for hours in HOURS:
        faded = (uptakes * np.exp(-rates * (hours - HOURS[0])))[patient.labels]
        noisy = first_bq * faded * np.maximum(0, 1 + NOISE * random.standard_normal(first_bq.shape, np.float32))
        path = folder / f"nm{hours:.0f}.dcm"
        write_spect(patient, noisy / patient.voxel_ml, f"nm {number} {hours}", hours, administered_mbq, path)
    for file in shared:
        if not (folder / file.name).exists():
            os.link(file, folder / file.name)


def prepare(patient, args, folder):
    """The studies and the manifest."""
    base = folder / "shared"
    base.mkdir(exist_ok=True)
    if not (base / "seg.dcm").exists():
        write_ct(patient, base)
        (folder / "names.csv").write_text(NAMES)
        words = ["convert", args.patient / "labels.nii.gz", "--as", "seg", "--label-names", folder / "names.csv"]
        words += ["--reference", base, "--output", folder / "seg.dcm"]
        subprocess.run([args.binary, *map(str, words)], check=True, stdout=subprocess.DEVNULL)
        (folder / "seg.dcm").rename(base / "seg.dcm")
    shared = sorted(base.iterdir())
    (folder / "tissues.toml").write_text(TISSUES)
    with open(folder / "manifest.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["study", "patient", "centre", "cycle", "options"])
        for number in range(args.studies):
            study = folder / "studies" / f"{number:04}"
            if not (study / "seg.dcm").exists():
                write_study(patient, number, shared, study)
            person = number // CYCLES
            place = CENTRES[person % len(CENTRES)]
            table.writerow([f"studies/{number:04}", person, place, number % CYCLES + 1, f"--method {args.method}"])


def done(folder):
    """The seconds that each study took that is done, by its pseudonym."""
    path = folder / "results" / "studies.csv"
    if not path.exists():
        return {}
    with open(path, newline="") as file:
        return {row["study"]: float(row["seconds"]) for row in csv.DictReader(file) if row["state"] == "done"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patient", type=Path)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--method", default="kernel")
    parser.add_argument("--binary", default="target/release/dosegrid")
    parser.add_argument("--folder", type=Path, help="where studies and results lie [default: a temporary folder]")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        prepare(Patient(args.patient), args, folder)
        print(f"{args.studies} studies written in {time.perf_counter() - began:.0f} s", flush=True)
        words = ["cohort", folder / "manifest.csv", "--output", folder / "results", "--jobs", args.jobs]
        words += ["--tissues", folder / "tissues.toml"]
        before = done(folder)
        began = time.perf_counter()
        child = subprocess.Popen([args.binary, *map(str, words)])
        # An interrupt is for both: the cohort then writes its tables and ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - began
        seconds = [took for study, took in done(folder).items() if study not in before]
        unit = 1 if sys.platform == "darwin" else 1024
        print(json.dumps({
            "studies": args.studies, "done_before": len(before), "done_now": len(seconds), "jobs": args.jobs,
            "wall_s": round(wall_s, 1), "processor_s": round(usage.ru_utime + usage.ru_stime, 1),
            "peak_mb_of_a_process": round(usage.ru_maxrss * unit / 1e6, 1),
            "median_s_of_a_study": float(np.median(seconds)) if seconds else None,
        }))  # fmt: skip
        return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
