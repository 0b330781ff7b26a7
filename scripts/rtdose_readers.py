"""Every kind of RTDOSE that `dosegrid convert` writes, read by others.

    python scripts/rtdose_readers.py DOSEGRID CT_FOLDER [AE@HOST:PORT]     needs numpy, pydicom, nibabel, SimpleITK

An archive, Orthanc for one, is sent each by C-STORE if it is named. plastimatch, dcmtk (dcmdump) and dicom3tools (dciodvfy) are asked where they are installed. CT_FOLDER is a CT that the
doses belong to. Doses are smooth, on upright, sagittal and oblique grids, of one frame and of many, from 1e-6 to 4e4 Gy
and all zero, in each of the three kinds. A row for each: the largest difference from the dose in quanta (at most 0.5),
how far the centres of voxels are off [mm], and what the programs say. dciodvfy aborts on 32 bits and is given a twin of
16 bits, made of the same object by pydicom.
"""
import itertools
import os
import shutil
import subprocess
import sys
import tempfile

import nibabel
import numpy as np
import pydicom
import SimpleITK

KINDS = ["physical", "effective", "uncertainty"]
PEAKS_GY = [1e-6, 43.3431, 4e4]


def turned(first, second):
    """Columns of a rotation about x, then z."""
    (s, c), (t, d) = [(np.sin(a), np.cos(a)) for a in (first, second)]
    return np.array([[d, -t, 0], [t, d, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def grids(centre):
    """Name, shape and affine (RAS+, mm) of dose grids about a point."""
    sagittal = np.array([[0, 0, -1], [1, 0, 0], [0, 1, 0]], float)
    for name, axes, shape, spacing in [
        ("upright", np.eye(3), (20, 17, 9), (3.0, 4.0, 5.0)),
        ("one frame", np.eye(3), (20, 17, 1), (3.0, 4.0, 5.0)),
        ("sagittal", sagittal, (12, 10, 14), (3.0, 4.0, 5.0)),
        ("oblique", turned(0.4, 0.7), (12, 10, 8), (2.0, 3.0, 4.0)),
    ]:
        affine = np.eye(4)
        affine[:3, :3] = axes * np.array(spacing)
        affine[:3, 3] = centre - affine[:3, :3] @ (np.array(shape) - 1) / 2
        yield name, shape, affine


def centre_of(folder):
    """The middle of a CT in RAS+, mm."""
    slices = [pydicom.dcmread(os.path.join(folder, name)) for name in os.listdir(folder)]
    slices = [one for one in slices if one.get("Modality") == "CT" and "ImagePositionPatient" in one]
    corners = []
    for one in slices:
        row, column = np.reshape(np.array(one.ImageOrientationPatient, float), (2, 3))
        half = row * one.PixelSpacing[1] * (one.Columns - 1) / 2 + column * one.PixelSpacing[0] * (one.Rows - 1) / 2
        corners.append(np.array(one.ImagePositionPatient, float) + half)
    return np.mean(corners, axis=0) * [-1, -1, 1]


def lps_of(dose):
    """The affine of an RTDOSE from column, row and frame to LPS, mm."""
    row, column = np.reshape(np.array(dose.ImageOrientationPatient, float), (2, 3))
    offsets = np.atleast_1d(np.array(dose.GridFrameOffsetVector, float))
    step = offsets[1] - offsets[0] if len(offsets) > 1 else 1.0
    axes = [row * dose.PixelSpacing[1], column * dose.PixelSpacing[0], np.cross(row, column) * step]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = np.array(axes).T, dose.ImagePositionPatient
    return affine


def values_at(values, affine_lps, points_ras):
    """Values [column, row, frame] at points, and the largest distance from a centre [mm]."""
    points = points_ras * [-1, -1, 1]
    at = np.linalg.solve(affine_lps[:3, :3], (points - affine_lps[:3, 3]).T).T
    near = np.rint(at).astype(int)
    near = np.clip(near, 0, np.array(values.shape) - 1)
    off = np.linalg.norm((at - near) @ affine_lps[:3, :3].T, axis=1).max()
    return values[tuple(near.T)], off


def by_sitk(path):
    try:
        image = SimpleITK.ReadImage(path)
    except RuntimeError:
        return None
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return SimpleITK.GetArrayFromImage(image).astype(float).transpose(2, 1, 0), affine


def by_plastimatch(path, folder):
    out = os.path.join(folder, "plastimatch.nrrd")
    command = ["plastimatch", "convert", "--input-dose-img", path, "--output-dose-img", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return by_sitk(out) if done.returncode == 0 else None


def dciodvfy(dose, folder):
    """Errors about a twin of 16 bits."""
    twin = os.path.join(folder, "twin.dcm")
    words = dose.pixel_array.astype(np.uint64)
    most = max(int(words.max()), 1)
    dose.DoseGridScaling = pydicom.valuerep.format_number_as_ds(float(dose.DoseGridScaling) * most / 65535)
    dose.BitsAllocated, dose.BitsStored, dose.HighBit = 16, 16, 15
    dose["PixelData"].VR = "OW"
    dose.PixelData = (words * 65535 // most).astype("<u2").tobytes()
    dose.save_as(twin)
    done = subprocess.run(["dciodvfy", twin], capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


def main(dosegrid, ct, archive=None):
    has = {name: shutil.which(name) is not None for name in ("plastimatch", "dcmdump", "dciodvfy")}
    print("absent: " + (", ".join(name for name, is_there in has.items() if not is_there) or "none"))
    print("| dose | pydicom: quanta, mm | SimpleITK | plastimatch: part of the peak, mm | dcmdump | archive | dciodvfy |\n|---|---|---|---|---|---|---|")
    faults = 0
    for (name, shape, affine), kind, peak in itertools.product(grids(centre_of(ct)), KINDS, [*PEAKS_GY, 0.0]):
        index = np.indices(shape).reshape(3, -1).T
        points = index @ affine[:3, :3].T + affine[:3, 3]
        gy = (peak * np.exp(-((index - np.array(shape) / 3) ** 2).sum(1) / 30)).astype(np.float32)
        if peak:
            gy *= np.float32(peak / gy.max())
        with tempfile.TemporaryDirectory() as folder:
            nifti, path = os.path.join(folder, "dose.nii"), os.path.join(folder, "dose.dcm")
            nibabel.save(nibabel.Nifti1Image(gy.reshape(shape), affine), nifti)
            command = [dosegrid, "convert", nifti, "--as", "rtdose", "--kind", kind, "--reference", ct, "--output", path]
            subprocess.run(command, check=True, capture_output=True)
            dose = pydicom.dcmread(path)
            quantum, words = float(dose.DoseGridScaling), np.atleast_3d(dose.pixel_array.T.astype(float))
            gy = gy.astype(float)
            said = []
            # Of stored words the difference is in quanta, of doses in parts of the peak: plastimatch has singles.
            readers = [((words, lps_of(dose)), gy / quantum, 1.0, 0.5 + 1e-6)]
            readers.append((by_sitk(path), gy / quantum, 1.0, 0.5 + 1e-6))
            if has["plastimatch"]:
                readers.append((by_plastimatch(path, folder), gy, gy.max() or 1.0, 1e-6))
            for found, expected, unit, tolerance in readers:
                if found is None:
                    said.append("does not read it")
                    faults += 1
                    continue
                values, off = values_at(*found, points)
                most = np.abs(values - expected).max() / unit
                said.append(f"{most:.2g}, {off:.1e}")
                faults += most > tolerance or off > 1e-3
            if has["dcmdump"]:
                done = subprocess.run(["dcmdump", path], capture_output=True, text=True, check=False)
                said.append("reads" if done.returncode == 0 and not done.stderr else done.stderr.strip())
                faults += done.returncode != 0
            if archive:
                done = subprocess.run([dosegrid, "send", path, "--to", archive], capture_output=True, text=True, check=False)
                said.append("stored" if done.returncode == 0 else done.stderr.strip() or done.stdout.strip())
                faults += done.returncode != 0
            else:
                said.append("not asked")
            if has["dciodvfy"]:
                errors = dciodvfy(dose, folder)
                said.append("; ".join(errors) or "no error")
                faults += bool(errors)
        print(f"| {name}, {kind}, {peak:g} Gy | " + " | ".join(said) + " |")
    print(f"{faults} faults")
    return faults > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
