"""Internal conversion coefficients where an evaluation gives none, or only their sum.

Interpolated between the BrIcc coefficients (Kibedi et al., Nucl. Instrum. Methods A 589 (2008) 202) that the same
archive gives for transitions of pure multipolarity: ln(alpha) of a shell is fitted locally as a polynomial in ln E and
ln Z."""

import functools
import re

import numpy as np
from atomic_relaxation import binding_kev

SHELLS = ("K", "L", "M", "N", "O", "P")
PURE = ("M1", "E1", "E2", "M2", "E3", "M3", "M4", "E4")
NEAREST = 25
# Coefficients per shell that fall short of their total, or go beyond it, by more than this are not used.
SHELLS_MISSING = 0.06
# How much farther a step in ln Z is than one in ln E.
Z_WEIGHT = 6.0
# Part of the conversions of the L shell in L1, L2, L3: round figures of 100 keV transitions in heavy nuclei; they
# decide only which L X-rays and Auger electrons follow.
L_PARTS = {
    "M1": (0.90, 0.09, 0.01), "E1": (0.45, 0.25, 0.30), "E2": (0.10, 0.50, 0.40), "M2": (0.80, 0.08, 0.12),
    "E3": (0.08, 0.50, 0.42), "M3": (0.65, 0.05, 0.30), "M4": (0.55, 0.08, 0.37), "E4": (0.08, 0.50, 0.42),
}  # fmt: skip


def shell_coefficients(gamma):
    """What the evaluation gives per shell (calculated; measured if there is no more), with M+ and the like kept in the
    first shell of the sum."""
    values = {}
    for kind, stem in (("calculatedAtomicShell", "calculated"), ("experimentalAtomicShell", "experimental")):
        for record in gamma[f"{kind}ConversionCoefficients"] or []:
            for shell in SHELLS:
                value = record.get(f"{stem}InternalConversionCoefficientAtomicShell{shell}") or 0.0
                values.setdefault(shell, value) if value else None
        if values:
            break
    for record in gamma["sumCalculatedAtomicShellConversionCoefficients"] or []:
        for shell in SHELLS[1:]:
            value = record.get(f"sumConversionCoefficientsAtomicShellPlus{shell}") or 0.0
            if value and shell not in values:
                values[shell] = value
    return values


def multipoles(text):
    """("M1", "E2") of "(M1+E2)", "[M1,E2]" and the like; empty if unknown."""
    found = re.findall(r"[EM]\d", text or "")
    return tuple(found)


class Coefficients:
    """Interpolator over an archive: rows of (multipole, Z, energy [keV], {shell: alpha})."""

    def __init__(self, rows):
        self.points = {}
        for multipole, z, energy, shells in rows:
            for shell, value in shells.items():
                self.points.setdefault((multipole, shell), []).append((np.log(z), np.log(energy), np.log(value)))
        self.points = {key: np.array(sorted(set(rows))) for key, rows in self.points.items() if len(rows) >= NEAREST}

    @functools.cache
    def shell(self, multipole, shell, z, energy_kev):
        points = self.points.get((multipole, shell))
        edge = binding_kev(z, shell if shell == "K" else f"{shell}1")
        if points is None or energy_kev <= edge:
            return 0.0
        dz, de = points[:, 0] - np.log(z), points[:, 1] - np.log(energy_kev)
        distance = np.hypot(Z_WEIGHT * dz, de)
        near = np.argsort(distance, kind="stable")[:NEAREST]
        weight = 1.0 / (distance[near] + 0.05)
        terms = np.stack([np.ones(NEAREST), de[near], de[near] ** 2, dz[near]], axis=1)
        fit = np.linalg.lstsq(terms * weight[:, None], points[near, 2] * weight, rcond=None)[0]
        return float(np.exp(fit[0]))

    def of(self, multipoles, mixing_ratio, z, energy_kev):
        """{shell: alpha} of a transition; a mixture without a mixing ratio counts as half and half."""
        if not multipoles:
            return {}
        share = 0.5 if mixing_ratio is None else mixing_ratio**2 / (1.0 + mixing_ratio**2)
        parts = (
            [(multipoles[0], 1.0)] if len(multipoles) == 1 else [(multipoles[0], 1.0 - share), (multipoles[1], share)]
        )
        total = {shell: sum(part * self.shell(name, shell, z, energy_kev) for name, part in parts) for shell in SHELLS}
        return {shell: value for shell, value in total.items() if value > 0}


def l_parts(multipoles, mixing_ratio):
    """Part of the L conversions in L1, L2 and L3."""
    known = [L_PARTS[name] for name in multipoles if name in L_PARTS] or [L_PARTS["M1"]]
    if len(known) == 1:
        return known[0]
    share = 0.5 if mixing_ratio is None else mixing_ratio**2 / (1.0 + mixing_ratio**2)
    return tuple((1 - share) * a + share * b for a, b in zip(known[0], known[1]))


def completed(transition, z, coefficients):
    """{shell: alpha} of a transition, and whether any of it was interpolated. The evaluation's total is kept; what it
    does not give per shell is interpolated, a mixture without a mixing ratio such that the total is met."""
    given, total = dict(transition.shells), transition.total_alpha or sum(transition.shells.values())
    if transition.multipoles == ("E0",):
        return {}, False
    missing = total - sum(given.values())
    if given and (len(given) >= 2 or z < 10) and abs(missing) <= SHELLS_MISSING * total:
        outer = SHELLS[min(SHELLS.index(max(given, key=SHELLS.index)) + 1, len(SHELLS) - 1)]
        if missing > 0:
            given[outer] = given.get(outer, 0.0) + missing
        return given, False
    names = tuple(name for name in transition.multipoles if name in PURE)[:2]
    mixing = transition.mixing_ratio
    if total and len(names) == 2 and mixing is None:
        first, second = (sum(coefficients.of((name,), None, z, transition.energy).values()) for name in names)
        part = min(max((total - first) / (second - first), 0.0), 0.999) if second != first else 0.5
        mixing = (part / (1 - part)) ** 0.5
    if total and not names:
        names = ("M1",)
    estimate = coefficients.of(names, mixing, z, transition.energy)
    if total:
        whole = sum(estimate.values())
        return ({shell: value * total / whole for shell, value in estimate.items()} if whole else {"K": total}), True
    return estimate, bool(estimate)
