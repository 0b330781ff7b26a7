"""Figures that resampling is tested against.

quantity  maps on other grids: linear interpolation, means and totals over voxels, orders of axes, rigid transforms
units     lengths in mm; affines map voxel indices to right, anterior, superior, as in NIfTI
source    SimpleITK 2.5.7 (interpolation, orders of axes, transforms), SciPy 1.17.1 (overlaps of voxels as polyhedra,
          integrals of step functions), fslpy 3.29.1 (matrices of flirt)
how made  pip install SimpleITK scipy numpy nibabel fslpy; python tests/golden/resampling/make.py
Uncertainty: SimpleITK interpolates in double precision; overlaps are exact to 1e-9 of a voxel.
"""

import itertools
import json
import pathlib

import fsl.transform.flirt as flirt
import nibabel
import numpy as np
import SimpleITK as sitk
from fsl.data.image import Image
from scipy.interpolate import interp1d
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection
from scipy.spatial.transform import Rotation

HERE = pathlib.Path(__file__).parent
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def values(shape):
    """The map that the tests make too: whole numbers from 1 to 17, indexed [x, y, z]."""
    i, j, k = np.indices(shape)
    return ((7 * i + 13 * j + 29 * k) % 17 + 1).astype(np.float64)


def affine(spacing, angles_deg, origin, flips=(1, 1, 1)):
    rotation = Rotation.from_euler("zyx", angles_deg, degrees=True).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3] = rotation @ np.diag(np.multiply(spacing, flips))
    matrix[:3, 3] = origin
    return matrix


def itk_image(data, ras):
    image = sitk.GetImageFromArray(np.ascontiguousarray(data.transpose(2, 1, 0)))
    lps = LPS @ ras
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image


def ras_affine(image):
    lps = np.eye(4)
    lps[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) @ np.diag(image.GetSpacing())
    lps[:3, 3] = image.GetOrigin()
    return LPS @ lps


def flat(image):
    """x fastest."""
    return sitk.GetArrayFromImage(image).ravel()


def grid(shape, matrix):
    return {"shape": list(shape), "affine": matrix[:3].tolist()}


SOURCE = (6, 5, 4)
SOURCE_AFFINE = affine([3.0, 4.0, 5.0], [0, 0, 0], [-8.0, 2.0, 10.0], (-1, 1, 1))
OBLIQUE_SOURCE = affine([3.0, 4.0, 5.0], [12, -7, 20], [-8.0, 2.0, 10.0], (1, -1, 1))
TARGETS = {
    "same axes": ((5, 7, 6), affine([4.1, 3.1, 4.3], [0, 0, 0], [-23.0, 1.0, 7.0])),
    "exchanged axes": (
        (6, 5, 7),
        np.array([[0, -4.1, 0, -6.0], [0, 0, 3.1, 1.0], [4.3, 0, 0, 7.0], [0, 0, 0, 1.0]]),
    ),
    # Its centre lies in the middle of the oblique source.
    "oblique": ((5, 6, 5), affine([4.0, 3.5, 4.5], [25, 10, -15], [-5.04, -19.87, 10.84])),
}


def interpolation():
    cases = []
    motion = sitk.Euler3DTransform((1.0, 2.0, 3.0), 0.1, -0.2, 0.3, (1.5, -2.5, 0.5))
    for name, (shape, target) in TARGETS.items():
        for source in (SOURCE_AFFINE, OBLIQUE_SOURCE):
            for transform in (None, motion):
                moving, fixed = itk_image(values(SOURCE), source), itk_image(np.zeros(shape), target)
                used = transform or sitk.Transform(3, sitk.sitkIdentity)
                found = sitk.Resample(moving, fixed, used, sitk.sitkLinear, 0.0)
                cases.append({
                    "name": name,
                    "source": grid(SOURCE, source),
                    "target": grid(shape, target),
                    "moved": transform is not None,
                    "values": flat(found).tolist(),
                })
    return cases


def along_axis(data, axis, edges):
    """Integrals of a step function between edges, in indices of the source."""
    length = data.shape[axis]
    sums = np.concatenate([np.zeros_like(np.take(data, [0], axis)), np.cumsum(data, axis)], axis)
    cumulative = interp1d(np.arange(length + 1) - 0.5, sums, axis=axis, bounds_error=False,
                          fill_value=(np.take(sums, 0, axis), np.take(sums, -1, axis)))
    high, low = cumulative(np.maximum(edges[1:], edges[:-1])), cumulative(np.minimum(edges[1:], edges[:-1]))
    return high - low


def exact_totals(data, source, shape, target):
    """Totals for grids with axes along one another, by integrals of step functions."""
    matrix = np.linalg.inv(source) @ target
    order = [int(np.argmax(np.abs(matrix[:3, axis]))) for axis in range(3)]
    for axis, of in enumerate(order):
        edges = matrix[of, axis] * (np.arange(shape[axis] + 1) - 0.5) + matrix[of, 3]
        data = along_axis(data, of, edges)
    return data.transpose(order)


def box(matrix, index):
    """Half-spaces of a voxel: rows [normal, offset], normal · x + offset <= 0."""
    back = np.linalg.inv(matrix)
    rows = []
    for axis in range(3):
        rows.append(np.append(back[axis, :3], back[axis, 3] - (index[axis] + 0.5)))
        rows.append(-np.append(back[axis, :3], back[axis, 3] - (index[axis] - 0.5)))
    return np.array(rows)


def inside(halfspaces):
    """A point within, by the largest ball; none if there is none."""
    norms = np.linalg.norm(halfspaces[:, :3], axis=1)
    found = linprog([0, 0, 0, -1], A_ub=np.c_[halfspaces[:, :3], norms], b_ub=-halfspaces[:, 3],
                    bounds=[(None, None)] * 3 + [(0, None)])
    return found.x[:3] if found.status == 0 and found.x[3] > 1e-7 else None


def polyhedra(source, shape, target):
    """Shares of each voxel of the target in voxels of the source: volumes of intersections of boxes."""
    voxel = abs(np.linalg.det(target[:3, :3]))
    matrix = np.linalg.inv(source) @ target
    reach = np.abs(matrix[:3, :3]).sum(axis=1) / 2 + 0.5
    shares = {}
    for index in itertools.product(*map(range, shape)):
        centre = matrix[:3, :3] @ index + matrix[:3, 3]
        low, high = np.ceil(centre - reach).astype(int), np.floor(centre + reach).astype(int)
        for other in itertools.product(*(range(max(a, 0), min(b, n - 1) + 1) for a, b, n in zip(low, high, SOURCE))):
            halfspaces = np.r_[box(target, index), box(source, other)]
            point = inside(halfspaces)
            if point is not None:
                corners = HalfspaceIntersection(halfspaces, point).intersections
                shares[index, other] = ConvexHull(corners).volume / voxel
    return shares


def overlaps():
    cases = []
    data = values(SOURCE)
    for name, (shape, target) in TARGETS.items():
        oblique = name == "oblique"
        source = OBLIQUE_SOURCE if oblique else SOURCE_AFFINE
        ratio = abs(np.linalg.det(target[:3, :3]) / np.linalg.det(source[:3, :3]))
        if oblique:
            shares = polyhedra(source, shape, target)
            means, labels = np.zeros(shape), np.zeros(shape + (18,))
            for (index, other), share in shares.items():
                means[index] += share * data[other]
                labels[index + (int(data[other]),)] += share
        else:
            means = exact_totals(data, source, shape, target) / ratio
            labels = np.zeros(shape + (18,))
            for label in range(1, 18):
                part = (data == label).astype(float)
                labels[..., label] = exact_totals(part, source, shape, target) / ratio
        labels[..., 0] = 1.0 - labels.sum(axis=-1)
        best = np.sort(labels, axis=-1)
        cases.append({
            "name": name,
            "source": grid(SOURCE, source),
            "target": grid(shape, target),
            "means": means.ravel(order="F").tolist(),
            "totals": (means * ratio).ravel(order="F").tolist(),
            "labels": np.argmax(labels, axis=-1).ravel(order="F").tolist(),
            "lead": (best[..., -1] - best[..., -2]).ravel(order="F").tolist(),
            "share_of_label_5": labels[..., 5].ravel(order="F").tolist(),
        })
    return cases


def orders():
    """All 48 orders and directions of axes of one image, as SimpleITK stores them; sums tell the order of voxels."""
    image = itk_image(values(SOURCE), OBLIQUE_SOURCE)
    cases = []
    for order in itertools.permutations(range(3)):
        for flips in itertools.product([False, True], repeat=3):
            found = sitk.Flip(sitk.PermuteAxes(image, order), list(flips))
            data = flat(found)
            weighted = float(data @ np.arange(data.size))
            cases.append({**grid(found.GetSize(), ras_affine(found)), "weighted_sum": weighted})
    return cases


def transforms():
    """Files as SimpleITK and flirt write them, and where they take points."""
    euler = sitk.Euler3DTransform((10.0, -20.0, 30.0), 0.1, -0.2, 0.3, (1.5, -2.5, 0.5))
    zyx = sitk.Euler3DTransform((10.0, -20.0, 30.0), 0.4, 0.2, -0.3, (1.5, -2.5, 0.5))
    zyx.SetComputeZYX(True)
    versor = sitk.VersorRigid3DTransform((0.3, -0.5, 0.8), 0.7, (4.0, 5.0, 6.0), (10.0, 20.0, -5.0))
    affine_rigid = sitk.AffineTransform(versor.GetMatrix(), (3.0, 2.0, 1.0), (5.0, 6.0, 7.0))
    shift = sitk.TranslationTransform(3, (7.0, -8.0, 9.0))
    composite = sitk.CompositeTransform([euler, versor, shift])
    written = {"euler": euler, "euler_zyx": zyx, "versor": versor, "affine": affine_rigid, "shift": shift}
    written["composite"] = composite
    points = [[0.0, 0.0, 0.0], [10.0, 20.0, 30.0], [-50.0, 5.0, 80.0]]
    cases = []
    for name, transform in written.items():
        for end in ("tfm", "mat"):
            if name == "composite" and end == "mat":
                continue
            sitk.WriteTransform(transform, str(HERE / f"{name}.{end}"))
            moved = [(LPS[:3, :3] @ transform.TransformPoint((LPS[:3, :3] @ p).tolist())).tolist() for p in points]
            cases.append({"file": f"{name}.{end}", "points": points, "moved": moved})
    scaled = sitk.AffineTransform(3)
    scaled.Scale((1.1, 1.0, 1.0))
    sitk.WriteTransform(scaled, str(HERE / "not_rigid.tfm"))
    return cases, flirts()


def flirts():
    cases = []
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", [10, -20, 30], degrees=True).as_matrix()
    matrix[:3, 3] = [5.0, -6.0, 7.0]
    np.savetxt(HERE / "flirt.mat", matrix, fmt="%.10f")
    matrix = np.loadtxt(HERE / "flirt.mat")
    points = np.array([[0.0, 0.0, 0.0], [10.0, 20.0, 30.0], [-50.0, 5.0, 80.0]])
    reference = TARGETS["oblique"]
    for source in (SOURCE_AFFINE, OBLIQUE_SOURCE, OBLIQUE_SOURCE @ np.diag([1, -1, 1, 1])):
        for shape, target in (reference, (reference[0], reference[1] @ np.diag([-1, 1, 1, 1]))):
            moving = Image(nibabel.Nifti1Image(np.zeros(SOURCE), source))
            fixed = Image(nibabel.Nifti1Image(np.zeros(shape), target))
            world = np.linalg.inv(flirt.fromFlirt(matrix, moving, fixed, "world", "world"))
            cases.append({
                "moving": grid(SOURCE, source),
                "reference": grid(shape, target),
                "points": points.tolist(),
                "moved": (points @ world[:3, :3].T + world[:3, 3]).tolist(),
            })
    return cases


itk, fsl_cases = transforms()
figures = {"interpolation": interpolation(), "overlaps": overlaps(), "orders": orders(), "itk": itk, "fsl": fsl_cases}
(HERE / "figures.json").write_text(json.dumps(figures) + "\n")
