"""The same voxels give the same bytes, however they lie in memory and whoever holds them."""

from __future__ import annotations

import sys
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK
from conftest import QUICK, SHAPE, SPACING_MM

import dosegrid
from dosegrid import _images
from dosegrid._geometry import LPS_RAS
from dosegrid._images import BadImage, volume_of

#: From indices to the patient (RAS), turned by 90° and shifted.
AFFINE = np.array([[0.0, -3.0, 0.0, 20.0], [4.0, 0.0, 0.0, -10.0], [0.0, 0.0, 2.0, 5.0], [0.0, 0.0, 0.0, 1.0]])


def to_sitk(values: Any, affine: Any) -> Any:
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
    matrix = LPS_RAS @ affine
    spacing = np.sqrt((matrix[:3, :3] ** 2).sum(0))
    image.SetSpacing(spacing.tolist())
    image.SetDirection((matrix[:3, :3] / spacing).reshape(-1).tolist())
    image.SetOrigin(matrix[:3, 3].tolist())
    return image


@pytest.fixture
def expected(client: dosegrid.Client, placed: dict[str, Any]) -> bytes:
    return client.compute(**placed, **QUICK).dose.gy.tobytes()


MEMORY = {
    "C order": np.ascontiguousarray,
    "Fortran order": np.asfortranarray,
    "strided": lambda a: np.repeat(np.repeat(a, 2, 0), 3, 2)[::2, :, ::3],
    "reversed twice": lambda a: np.ascontiguousarray(a[::-1, :, ::-1])[::-1, :, ::-1],
    "other order": lambda a: np.ascontiguousarray(a.transpose(1, 2, 0)).transpose(2, 0, 1),
    "list": lambda a: a.tolist(),
}


@pytest.mark.parametrize("name", MEMORY)
def test_memory_order_does_not_matter(client: Any, placed: dict[str, Any], expected: bytes, name: str) -> None:
    placed["activity"] = MEMORY[name](placed["activity"])
    assert client.compute(**placed, **QUICK).dose.gy.tobytes() == expected


@pytest.mark.parametrize(
    "dtype", ["f2", "<f4", ">f4", "<f8", ">f8", "g", "i1", "u1", "<i2", ">i2", ">u2", "<i4", "u4", ">i8", "u8"]
)
def test_types_of_elements_do_not_matter(client: Any, placed: dict[str, Any], expected: bytes, dtype: str) -> None:
    placed["activity"] = placed["activity"].astype(dtype)
    for order in (np.ascontiguousarray, np.asfortranarray):
        placed["density"] = order(np.ones(SHAPE, dtype))
        assert client.compute(**placed, **QUICK).dose.gy.tobytes() == expected


def test_what_is_read_only_mapped_or_a_tensor_is_taken(
    client: Any, placed: Any, expected: bytes, tmp_path: Any
) -> None:
    values = placed["activity"]
    mapped = np.memmap(tmp_path / "a.raw", np.float32, "w+", shape=SHAPE, order="F")
    mapped[...] = values
    frozen = values.copy()
    frozen.flags.writeable = False

    class Tensor:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return values

    for taken in mapped, frozen, Tensor():
        placed["activity"] = taken
        assert client.compute(**placed, **QUICK).dose.gy.tobytes() == expected


def test_images_of_libraries_and_files_give_the_same(client: Any, activity: Any, tmp_path: Any) -> None:
    water = np.ones_like(activity)
    of_sitk = client.compute(to_sitk(activity, AFFINE), density=to_sitk(water, AFFINE), **QUICK)
    images = [nibabel.Nifti1Image(values, AFFINE) for values in (activity, water)]
    of_nibabel = client.compute(images[0], density=images[1], **QUICK)
    for image, name in zip(images, ("a.nii.gz", "d.nii")):
        nibabel.save(image, tmp_path / name)
    of_file = client.compute(tmp_path / "a.nii.gz", density=str(tmp_path / "d.nii"), **QUICK)
    like = dosegrid.Volume.like(activity, images[0])
    of_array = client.compute(like, density=dosegrid.Volume.of_array(water, affine_mm=AFFINE, axes="xyz"), **QUICK)
    for same in of_nibabel, of_file, of_array:
        assert same.dose.gy.tobytes() == of_sitk.dose.gy.transpose(2, 1, 0).tobytes()
        assert same.dose.grid == of_sitk.dose.grid
    assert of_sitk.dose.gy.shape == SHAPE[::-1] and of_nibabel.dose.gy.shape == SHAPE


def test_a_dose_goes_back_to_its_place(client: Any, activity: Any, tmp_path: Any) -> None:
    image = to_sitk(activity, AFFINE)
    result = client.compute(image, density=to_sitk(np.ones_like(activity), AFFINE), **QUICK)
    back = result.dose.to_sitk()
    for told in "GetSize", "GetSpacing", "GetDirection", "GetOrigin":
        assert np.allclose(getattr(back, told)(), getattr(image, told)(), atol=1e-9), told
    assert (SimpleITK.GetArrayFromImage(back) == result.dose.gy).all()
    nifti = result.dose.to_nibabel()
    assert np.allclose(nifti.affine, AFFINE) and (nifti.get_fdata() == result.dose.gy.transpose(2, 1, 0)).all()
    for name in "dose.nii.gz", "dose.mha", "dose.nrrd":
        result.dose.save(tmp_path / name)
        read = SimpleITK.ReadImage(str(tmp_path / name))
        assert (SimpleITK.GetArrayFromImage(read) == result.dose.gy).all()
        assert np.allclose(read.GetOrigin(), image.GetOrigin(), atol=1e-4)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_what_simpleitk_reads_stays_as_it_was(activity: Any, tmp_path: Any, name: str) -> None:
    SimpleITK.WriteImage(to_sitk(activity, AFFINE), str(tmp_path / name))
    # Nobody else holds what was read.
    volumes = [volume_of(tmp_path / name) for _ in range(4)]
    image = to_sitk(activity, AFFINE)
    volumes.append(volume_of(image))
    image *= 0
    del image
    others = [SimpleITK.Image(SHAPE, SimpleITK.sitkFloat32) - 1 for _ in range(200)]
    assert all(np.array_equal(volume.values, activity) for volume in volumes) and others


def test_a_label_map_without_voxels_is_refused(client: Any, activity: Any) -> None:
    labels = SimpleITK.LabelImageToLabelMap(to_sitk((activity > 50).astype(np.uint8), AFFINE))
    with pytest.raises(dosegrid.InvalidRequest, match="LabelMapToLabel"):
        client.compute(to_sitk(activity, AFFINE), density=to_sitk(activity, AFFINE), labels=labels, **QUICK)


def nifti(values: Any, sform: Any, qform: Any, name: Any) -> Any:
    """A file with one, both or none of the two forms."""
    image: Any = nibabel.Nifti1Image(values, None)
    image.header.set_zooms(SPACING_MM)
    image.header.set_xyzt_units("mm")
    for put, form in (image.set_sform, sform), (image.set_qform, qform):
        if form is not None:
            put(form, 1)
    nibabel.save(image, name)
    return name


@pytest.mark.parametrize("reader", ["nibabel", "SimpleITK"])
def test_forms_of_nifti_are_read_as_by_the_program(
    client: Any, activity: Any, tmp_path: Any, monkeypatch: Any, reader: str
) -> None:
    other = np.diag([*SPACING_MM, 1.0])
    files = {
        name: nifti(activity, sform, qform, tmp_path / f"{name}.nii.gz")
        for name, sform, qform in (
            ("sform", AFFINE, None),
            ("qform", None, AFFINE),
            ("same", AFFINE, AFFINE),
            ("unlike", AFFINE, other),
            ("none", None, None),
        )
    }
    if reader == "SimpleITK":
        monkeypatch.setitem(sys.modules, "nibabel", None)
    for name in "sform", "qform", "same":
        assert np.allclose(volume_of(files[name]).grid.matrix, AFFINE, atol=1e-5), name
    # An affine that is in neither is made up by nibabel and by ITK, each its own.
    nowhere = volume_of(files["none"]).grid
    assert nowhere.affine_mm is None and np.allclose(nowhere.spacing_mm, SPACING_MM)
    with pytest.raises(dosegrid.InvalidRequest, match="where it lies"):
        client.compute(files["none"], density=files["sform"], **QUICK)
    if reader == "nibabel":
        with pytest.warns(UserWarning, match="place it differently"):
            assert np.allclose(volume_of(files["unlike"]).grid.matrix, AFFINE, atol=1e-5)
    else:
        # Which of them ITK takes depends on its release.
        image = SimpleITK.ReadImage(str(files["unlike"]))
        right, wrong = (dosegrid.Grid.of_affine(SHAPE, affine) for affine in (AFFINE, other))
        assert _images._grid_by_itk(image, right) is right
        with pytest.raises(BadImage, match="install nibabel"):
            _images._grid_by_itk(image, wrong)


def test_a_dose_lies_nowhere_if_nobody_said_where(client: Any, placed: Any, tmp_path: Any) -> None:
    dose = client.compute(**placed, **QUICK).dose
    dose.save(tmp_path / "dose.nii.gz")
    for image in dose.to_nibabel(), nibabel.load(tmp_path / "dose.nii.gz"):
        assert [int(image.header[name]) for name in ("sform_code", "qform_code")] == [0, 0]
        found = volume_of(image)
        assert found.grid == dose.grid and np.array_equal(found.values, dose.gy)
    # Other formats cannot leave it open.
    with pytest.warns(UserWarning, match="nobody said where"):
        dose.to_sitk()


def test_a_header_that_contradicts_its_affine_is_refused(client: Any, placed: Any) -> None:
    image = nibabel.Nifti1Image(placed["activity"], AFFINE)
    image.header.set_zooms((4.0, 3.0, 2.5))
    with pytest.raises(dosegrid.InvalidRequest, match="by its header") as caught:
        client.compute(image, density=nibabel.Nifti1Image(placed["density"], AFFINE), **QUICK)
    assert [one.field for one in caught.value.fields] == ["activity"]
    analyze = nibabel.AnalyzeImage(placed["activity"], np.diag([*SPACING_MM, 1.0]))
    with pytest.raises(dosegrid.InvalidRequest, match="which side is left"):
        client.compute(analyze, density=analyze, **QUICK)


def test_scaled_files_keep_their_scale(client: Any, activity: Any, tmp_path: Any) -> None:
    stored = nibabel.Nifti1Image(activity.astype(np.int16), AFFINE)
    stored.header.set_slope_inter(0.5, 0.0)
    nibabel.save(stored, tmp_path / "a.nii")
    water = nibabel.Nifti1Image(np.ones_like(activity), AFFINE)
    found = client.compute(tmp_path / "a.nii", density=water, **QUICK)
    whole = client.compute(
        nibabel.Nifti1Image(nibabel.load(tmp_path / "a.nii").get_fdata(), AFFINE), density=water, **QUICK
    )
    assert np.allclose(found.dose.gy, whole.dose.gy, rtol=1e-6)


def test_axes_by_name_give_the_same_dose(client: Any, placed: Any, expected: bytes) -> None:
    turned = {name: placed[name].transpose(2, 1, 0) for name in ("activity", "density")}
    result = client.compute(**turned, spacing_mm={"x": 4.0, "y": 3.0, "z": 2.0}, axes="zyx", **QUICK)
    assert result.dose.gy.shape == SHAPE[::-1]
    assert result.dose.gy.transpose(2, 1, 0).tobytes() == expected
    assert result.dose.grid.spacing_mm == SPACING_MM


@pytest.mark.parametrize("dtype", [np.bool_, *np.typecodes["AllInteger"]])
def test_labels_of_every_type_are_taken(client: Any, placed: Any, dtype: Any) -> None:
    labels = (placed["activity"] > 50).astype(dtype)
    for order in (np.ascontiguousarray, np.asfortranarray):
        result = client.compute(**placed, labels=order(labels), label_names={1: "hot"}, **QUICK)
        assert result.organs["hot"].voxels == int((placed["activity"] > 50).sum())
        assert result.organs[1] is result.organs["hot"] and len(result.organs) == 1


def test_a_name_of_two_organs_is_not_that_of_one(client: Any, placed: Any) -> None:
    labels = np.digitize(placed["activity"], [30, 60])
    organs = client.compute(**placed, labels=labels, label_names={1: "kidney", 2: "kidney"}, **QUICK).organs
    assert organs[2].voxels == (labels == 2).sum()
    with pytest.raises(KeyError, match="labels 1, 2"):
        organs["kidney"]


def test_organs_may_overlap(client: Any, placed: Any) -> None:
    hot, warm = placed["activity"] > 50, placed["activity"] > 20
    result = client.compute(**placed, organs={3: hot, 7: warm}, dose_volume_points=10, **QUICK)
    assert [(label, organ.voxels) for label, organ in result.organs.items()] == [(3, hot.sum()), (7, warm.sum())]
    histogram = result.organs[3].dose_volume
    assert histogram.volume_fraction[0] == 1 and len(histogram.dose_gy) == 10
    assert result.organs.rows()[0]["mean_by_mass_gy"] == result.organs[3].mean_by_mass_gy


def test_large_volumes_travel_in_pieces(client: Any) -> None:
    values = np.random.default_rng(7).random((150, 130, 70))
    volume = dosegrid.Volume.of_array(values, (4, 4, 4), "xyz")
    same = client.resample(volume, "density", spacing_mm=4.0)
    assert np.allclose(same.values, values.astype(np.float32), rtol=1e-6)
    assert np.array_equal(client.resample(volume, "density", onto=volume).values, same.values)


BAD = [
    ({"axes": None}, "activity", "axes"),
    ({"spacing_mm": None}, "activity", "spacing_mm"),
    ({"unit": "bq-per-liter"}, "unit", "bq-per-ml"),
    ({"unit": None}, "unit", "needed"),
    ({"effective_half_life": "50h"}, "effective_half_life", "time-integrated"),
    ({"unit": "bq", "effective_half_life": 50}, "effective_half_life", "50h"),
    ({"unit": "bq"}, "effective_half_life", "physical"),
    ({"injected_activity": "7.4"}, "injected_activity", "7.4GBq"),
    ({"histories": 1000}, "histories", "kernel"),
    ({"density": np.ones((3, 3))}, "density", "three dimensions"),
    ({"density": np.full(SHAPE, "a")}, "density", "numbers"),
    ({"density": np.full(SHAPE, np.nan)}, "density", "NaN"),
    ({"activity": np.full(SHAPE, 1j)}, "activity", "complex"),
    ({"dose_grid": "the other"}, "dose_grid", "the other"),
    ({"daughters": "all"}, "daughters", "equilibrium"),
    ({"rbe_alpha": 5}, "rbe_alpha", "weighted"),
    ({"nuclide": "Xx-1"}, "nuclide", "known"),
    ({"transform": np.eye(2)}, "transform", "4×4"),
    ({"transform": [[1, 2], [3]]}, "transform", "4×4"),
    ({"activity": np.ma.masked_less(np.arange(960.0).reshape(SHAPE), 5)}, "activity", "masked"),
    ({"activity": [[1, 2], [3]]}, "activity", "no array"),
    ({"spacing_mm": 4.0}, "activity", "three numbers"),
    ({"spacing_mm": (4.0, 3.0)}, "density", "three numbers"),
    ({"spacing_mm": "432"}, "activity", "three numbers"),
    ({"spacing_mm": {"x": 4.0, "y": 3.0}}, "activity", "three numbers"),
    ({"histories": float("inf"), "method": "monte-carlo"}, "histories", "inf"),
    ({"label_names": {"liver": 1}}, "label_names['liver']", "whole number"),
    ({"label_names": ["liver"]}, "label_names", "mapping"),
    ({"organs": {2.5: np.ones(SHAPE)}}, "organs[2.5]", "whole number"),
    ({"organs": {70000: np.ones(SHAPE)}}, "organs[70000]", "whole number"),
    ({"emissions": [(1, 2)]}, "emissions[0]", "charge"),
    ({"emissions": 5}, "emissions[0]", "charge"),
    ({"ct_calibration": [(0, 1), ("a", 1)]}, "ct_calibration[1]", "density"),
    ({"unit": "MBq-h"}, "unit", "did you mean 'mbq-h'"),
    ({"timeout": "5"}, "timeout", "seconds"),
    ({"timeout": float("nan")}, "timeout", "seconds"),
]


@pytest.mark.parametrize("change, field, said", BAD)
def test_bad_input_is_named(client: Any, placed: Any, change: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(dosegrid.InvalidRequest) as caught:
        client.compute(**{**placed, **QUICK, **change})
    error = caught.value
    reasons = {one.field: one.reason for one in error.fields}
    assert field in reasons and said in reasons[field], reasons
    assert isinstance(error, ValueError) and field in str(error) and error.reason == "INVALID_REQUEST"


def test_all_faults_are_named_at_once(client: Any, placed: Any) -> None:
    with pytest.raises(dosegrid.InvalidRequest) as caught:
        client.compute(**{**placed, **QUICK, "unit": "x", "nan": "y", "dose_volume_points": "z", "daughters": "w"})
    assert [one.field for one in caught.value.fields] == ["unit", "daughters", "nan", "dose_volume_points"]
    with pytest.raises(TypeError, match="Did you mean 'nuclide'"):
        client.compute(**placed, nuclid="Lu-177")


def test_a_place_in_the_patient_is_not_guessed(client: Any, placed: Any) -> None:
    placed["activity"] = nibabel.Nifti1Image(placed["activity"], AFFINE)
    with pytest.raises(dosegrid.InvalidRequest, match="where it lies") as caught:
        client.compute(**placed, **QUICK)
    assert [one.field for one in caught.value.fields] == ["density"]


def test_a_geometry_that_counts_for_nothing_is_refused(client: Any, placed: Any) -> None:
    images = {name: nibabel.Nifti1Image(placed[name], AFFINE) for name in ("activity", "density")}
    with pytest.raises(dosegrid.InvalidRequest, match="no effect") as caught:
        client.compute(**images, spacing_mm=(9, 9, 9), axes="zyx", **QUICK)
    assert [one.field for one in caught.value.fields] == ["spacing_mm", "axes"]


def test_a_file_that_is_not_there_is_pythons_error(client: Any, placed: Any) -> None:
    with pytest.raises(FileNotFoundError):
        client.compute(**{**placed, "density": "nowhere.nii.gz"}, **QUICK)
