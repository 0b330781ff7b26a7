"""The examples run as they are, and so do those of docs/python.md that need no server of somebody else."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "clients" / "python" / "examples"
PATIENCE_S = 120.0


def run(path: pathlib.Path, *words: str) -> str:
    found = subprocess.run(
        [sys.executable, str(path), *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_first_dose(tmp_path: pathlib.Path) -> None:
    told = run(EXAMPLES / "first_dose.py", str(tmp_path / "dose.nii.gz"))
    assert "sphere: " in told and (tmp_path / "dose.nii.gz").exists()


def test_ten_at_a_time() -> None:
    assert run(EXAMPLES / "ten_at_a_time.py").startswith("10 doses: mean ")


def test_the_notebook(capsys: Any) -> None:
    cells = json.loads((EXAMPLES / "dose_in_a_notebook.ipynb").read_text())["cells"]
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile(cell["source"], "cell", "exec"), names)
    assert "<img" in names["result"]._repr_html_()
    ratio = float(capsys.readouterr().out.rpartition("kernel over Monte Carlo: ")[2])
    assert 0.9 < ratio < 1.1


def test_a_series_to_rtdose(program: str, tmp_path: pathlib.Path) -> None:
    """With the cases in DICOM, which lie beside the project where they are there."""
    reference = os.environ.get("REFERENCE_DICOM") or ROOT.parent / "shared" / "cases-dicom"
    study = pathlib.Path(reference) / "15-study-three-time-points"
    if not study.exists():
        pytest.skip(f"the cases in DICOM are absent: {reference}")
    series = json.loads((study / "expected.json").read_text())["reads"][0]["series"]
    scan = next(one for one in series if one["modality"] == "NM")
    activity = f"{study / 'all'}#{scan['series_uid']}"
    ct = tmp_path / "ct"
    ct.mkdir()
    for file in (study / "all").iterdir():
        content = file.read_bytes()
        if scan["goes_with"].encode() in content and b"\x08\x00\x60\x00CS\x02\x00CT" in content:
            (ct / file.name).write_bytes(content)
    output = tmp_path / "dose.dcm"
    words = ["--nuclide", "Lu-177", "--half-life", "50h", "--program", program, "--method", "kernel"]
    assert "up to" in run(EXAMPLES / "series_to_rtdose.py", activity, str(ct), str(output), *words)
    assert output.read_bytes()[128:132] == b"DICM"


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "python.md", ROOT / "clients/python/README.md"])
def test_the_first_example_of_a_page(page: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    """On files of the names that it has."""
    import nibabel
    import numpy as np

    source = page.read_text().partition("```python\n")[2].partition("```")[0]
    assert "compute" in source
    monkeypatch.chdir(tmp_path)
    hot = np.zeros((10, 9, 8), np.uint8)
    hot[3:6, 3:6, 3:6] = 1
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    for name, values in ("activity", hot * np.float32(1e5)), ("ct", np.full(hot.shape, 40, np.int16)), ("labels", hot):
        nibabel.save(nibabel.Nifti1Image(values, affine), f"{name}.nii.gz")
    exec(compile(source, page.name, "exec"), {})
    assert nibabel.load("dose.nii.gz").get_fdata().max() > 0


def test_the_other_examples_of_the_page(server: str, tmp_path: pathlib.Path, monkeypatch: Any, capsys: Any) -> None:
    """Those that need neither another machine nor what stands for arguments, on two organs and by the kernel method."""
    import nibabel
    import numpy as np

    import dosegrid

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOSEGRID_SERVER", server)
    organs = np.zeros((10, 9, 8), np.uint8)
    organs[1:4, 1:4, 1:4], organs[5:8, 3:6, 3:6] = 1, 2
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    maps = {"activity": organs * np.float32(1e5), "ct": np.full(organs.shape, 40, np.int16), "organs": organs}
    maps.update({f"spect_{hours}h": np.float32(1e5) * organs * 0.5 ** (hours / 50) for hours in (24, 96, 168)})
    for name, values in maps.items():
        nibabel.save(nibabel.Nifti1Image(values, affine), f"{name}.nii.gz")
    for name in "compute", "submit":
        call = getattr(dosegrid.Client, name)
        by_kernel = lambda *given, call=call, **more: call(*given, **{"method": "kernel", **more})  # noqa: E731
        monkeypatch.setattr(dosegrid.Client, name, by_kernel)
    page = (ROOT / "docs" / "python.md").read_text()
    sources = [part.partition("```")[0] for part in page.split("```python\n")[2:]]
    elsewhere = ("...", "https://", "cohort(")
    ran = [source for source in sources if not any(word in source for word in elsewhere)]
    with dosegrid.Client(server) as client:
        names: dict[str, Any] = {"client": client, "dosegrid": dosegrid}
        for source in ran:
            exec(compile(source, "python.md", "exec"), names)
    told = capsys.readouterr().out
    assert len(ran) == 4 and "succeeded" in told and names["bed"].bed.gy.max() > 0
    assert names["known_by"][2]["tia_sigma_mbq_h"] > 0 and names["kidneys"]["model"] == "mono"
