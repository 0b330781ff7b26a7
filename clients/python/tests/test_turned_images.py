"""All 48 orders and flips of the axes give the same dose at the same place in the patient."""

from __future__ import annotations

import itertools
import math
from typing import Any, Iterator

import nibabel
import numpy as np
from conftest import QUICK, SHAPE

#: From indices to the patient (RAS), turned by 90° and shifted.
AFFINE = np.array([[0.0, -3.0, 0.0, 20.0], [4.0, 0.0, 0.0, -10.0], [0.0, 0.0, 2.0, 5.0], [0.0, 0.0, 0.0, 1.0]])


def all_48(shape: tuple[int, ...]) -> Iterator[tuple[Any, Any]]:
    """All orders and flips of the axes: the matrix from indices of the turned array to those of the array itself, and
    what turns an array."""
    for order in itertools.permutations(range(3)):
        for flips in itertools.product((1, -1), repeat=3):
            turn = np.zeros((4, 4))
            turn[3, 3] = 1
            for new, old in enumerate(order):
                turn[old, new] = flips[new]
                turn[old, 3] = shape[old] - 1 if flips[new] < 0 else 0
            cut = tuple(slice(None, None, flip) for flip in flips)
            yield turn, lambda values, order=order, cut=cut: np.ascontiguousarray(values.transpose(order)[cut])


def test_all_48_orders_and_flips_of_axes_give_the_same_dose(client: Any, activity: Any) -> None:
    density = 0.9 + 0.2 * np.random.default_rng(6).random(SHAPE).astype(np.float32)
    reference = client.compute(
        nibabel.Nifti1Image(activity, AFFINE), density=nibabel.Nifti1Image(density, AFFINE), **QUICK
    )
    plain = reference.dose.gy
    seen = 0
    for turn, turned in all_48(SHAPE):
        images = [nibabel.Nifti1Image(turned(one), AFFINE @ turn) for one in (activity, density)]
        dose = client.compute(images[0], density=images[1], **QUICK).dose
        assert np.allclose(dose.gy, turned(plain), rtol=1e-5, atol=1e-5 * plain.max()), turn
        seen += 1
    assert seen == 48


#: Groups of histories from which σ is estimated: pulls follow Student's t with one degree of freedom less.
GROUPS = 32
#: What chance exceeds once in two million tries, in σ of a normal distribution.
CHANCE = 5.0


def faults_of(pulls: Any, totals: Any) -> list[str]:
    """What of many runs is not chance.

    :param pulls: differences from the reference in σ, one row a run, one column a voxel
    :param totals: the same of the mean dose of all voxels of each run
    """
    freedom = GROUPS - 1
    square = freedom / (freedom - 2)
    spread = math.sqrt(3 * freedom**2 / ((freedom - 2) * (freedom - 4)) - square**2)
    found = []
    for what, chi, number in (
        *(("a run", (run**2).mean(), run.size) for run in pulls),
        ("all runs", (pulls**2).mean(), pulls.size),
        ("totals", (totals**2).mean(), totals.size),
    ):
        if abs(chi - square) > CHANCE * spread / math.sqrt(number):
            found.append(f"χ² of {what}: {chi:.3f} for {square:.3f}")
    if abs(pulls.mean()) > CHANCE / math.sqrt(pulls.size):
        found.append(f"mean pull {pulls.mean():.3f}")
    if abs(totals).max() > CHANCE * math.sqrt(square):
        found.append(f"a total is off by {abs(totals).max():.1f} σ")
    return found


def test_all_48_orders_and_flips_of_axes_give_the_same_monte_carlo_dose(client: Any) -> None:
    shape = (6, 5, 4)
    random = np.random.default_rng(8)
    activity = random.integers(1, 100, shape).astype(np.float32)
    activity[0, 0, 0] = 1000
    density = (0.9 + 0.2 * random.random(shape)).astype(np.float32)

    def run(turn: Any, turned: Any, histories: float, seed: int) -> tuple[Any, Any, float, float]:
        maps = activity, density, np.ones(shape, np.uint8)
        images = [nibabel.Nifti1Image(turned(one), AFFINE @ turn) for one in maps]
        result = client.compute(
            images[0],
            density=images[1],
            labels=images[2],
            nuclide="Lu-177",
            unit="mbq-h",
            histories=histories,
            seed=seed,
        )
        whole = result.organs[1]
        dose, sigma = result.dose.gy.astype(float), result.uncertainty.gy.astype(float)
        return dose, sigma, whole.mean_by_mass_gy, whole.mean_by_mass_sigma_gy

    reference = run(np.eye(4), np.asarray, 5e6, 0)
    runs = [(turned, run(turn, turned, 1e5, 1 + number)) for number, (turn, turned) in enumerate(all_48(shape))]

    def faults(change: Any) -> list[str]:
        """Of all runs, one of which is changed before."""
        pulls, totals = [], []
        for number, (turned, (dose, sigma, mean, mean_sigma)) in enumerate(runs):
            if number == len(runs) // 2:
                dose, mean = change(dose, mean)
            pulls.append(((dose - turned(reference[0])) / np.hypot(sigma, turned(reference[1]))).ravel())
            totals.append((mean - reference[2]) / math.hypot(mean_sigma, reference[3]))
        return faults_of(np.array(pulls), np.array(totals))

    assert len(runs) == 48 and faults(lambda dose, mean: (dose, mean)) == []
    assert faults(lambda dose, mean: (1.01 * dose, 1.01 * mean))
    assert faults(lambda dose, mean: (dose[::-1], mean))
