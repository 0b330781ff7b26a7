"""Decay schemes of ENSDF as packaged by paceENSDF: levels, what feeds them, and the transitions between them. Energies in keV, intensities per decay."""

import functools
import json
import pathlib
from dataclasses import dataclass, field, replace

import paceENSDF
from internal_conversion import PURE, multipoles, shell_coefficients

ARCHIVE = pathlib.Path(paceENSDF.__file__).parent / "ENSDF_JSON"
MODES = {"betaMinusDecay": "beta-", "electronCaptureBetaPlusDecay": "beta+/ec", "alphaDecay": "alpha"}
FORBIDDENNESS = {"0A": "allowed", "1A": "allowed", "1F": "1NU", "1UF": "1U", "2F": "2NU", "2UF": "2U", "3F": "3NU", "3UF": "3U", "4F": "4NU", "4UF": "4U"}


@dataclass
class Transition:
    """Between two levels; `intensity` counts photons, `total_alpha` may be None (not evaluated)."""

    energy: float
    final: int
    intensity: float
    multipoles: tuple
    mixing_ratio: float | None
    total_alpha: float | None
    shells: dict


@dataclass
class Level:
    energy: float
    half_life_s: float
    spin: float | None
    parity: int
    transitions: list
    feeding: list


@dataclass
class Feeding:
    """One branch to a level: an alpha, a beta continuum, or a capture with what positrons go with it."""

    kind: str
    intensity: float
    energy: float = 0.0
    mean: float = 0.0
    transition: str = "allowed"
    shells: dict = field(default_factory=dict)


@dataclass
class Scheme:
    z: int
    a: int
    mode: str
    daughter: str
    daughter_z: int
    parent_level: float
    q: float
    branching: float
    half_life_s: float
    half_life_uncertainty_s: float
    spin: float | None
    parity: int
    levels: list


def spin_and_parity(record):
    """The first assignment listed; tentative ones count."""
    for spin in record["spins"] or []:
        if spin["spinReal"] is not None:
            return spin["spinReal"], spin["parity"] or 0
    return None, 0


def forbiddenness(parent, level, evaluated):
    """Type of a beta transition: the evaluation's, otherwise from the spins and parities, otherwise allowed."""
    if evaluated:
        return FORBIDDENNESS[evaluated]
    (spin, parity), (level_spin, level_parity) = parent, level
    if None in (spin, level_spin) or 0 in (parity, level_parity):
        return "allowed"
    change, flips = int(abs(spin - level_spin)), parity != level_parity
    if change <= 1:
        return "1NU" if flips else "allowed"
    order = change if (change % 2 == 1) == flips else change - 1
    return f"{order}{'U' if change == order + 1 else 'NU'}"


def transition(record, norm):
    alpha = record["experimentalTotalInternalConversionCoefficient"] or record["calculatedTotalInternalConversionCoefficient"]
    shells = shell_coefficients(record)
    if alpha is None and shells:
        alpha = sum(shells.values())
    energy = record["gammaEnergy"] if record["gammaEnergyIsKnown"] and record["gammaEnergy"] else record["levelEnergyInitial"] - record["levelEnergyFinal"]
    return Transition(
        energy, record["levelIndexFinal"], (record["gammaIntensity"] or 0.0) * norm,
        multipoles(record["multipolarity"]), mixing if isinstance(mixing := record["mixingRatio"], float) else None, alpha, shells,
    )  # fmt: skip


def capture_shells(record):
    """{K, L, M: part of the captures}; a sum over outer shells counts for its first."""
    shells = {}
    for part in record["calculatedAtomicShellElectronCaptureFractions"] or []:
        for shell in "KLM":
            shells[shell] = part[f"calculatedElectronCaptureFractionAtomicShell{shell}"] or 0.0
    for part in record["sumCalculatedAtomicShellElectronCaptureFractions"] or []:
        for shell in "LM":
            shells[shell] = shells.get(shell) or part[f"sumElectronCaptureFractionAtomicShellPlus{shell}"] or 0.0
    return shells if shells.get("K") or shells.get("L") else {}


def feedings(record, parent, norm, branching):
    """Every way the parent feeds one level."""
    level = spin_and_parity(record)
    for alpha in record.get("alphaDecay") or []:
        yield Feeding("alpha", (alpha["alphaIntensity"] or 0.0) / 100 * branching, alpha["alphaEnergy"] or 0.0)
    for beta in record.get("betaMinusDecay") or []:
        kind = forbiddenness(parent, level, beta["forbiddennessDegree"])
        mean = beta["averageBetaMinusEnergy"] or 0.0
        yield Feeding("beta-", (beta["betaMinusIntensity"] or 0.0) / 100 * norm, beta["endPointBetaMinusEnergy"] or 0.0, mean, kind)
    for beta in record.get("betaPlusDecay") or []:
        kind = forbiddenness(parent, level, beta["forbiddennessDegree"])
        capture, positron = beta["electronCaptureIntensity"] or 0.0, beta["betaPlusIntensity"] or 0.0
        total = beta["totalElectronCaptureBetaPlusIntensity"] or 0.0
        if capture + positron == 0.0:
            capture = total
        yield Feeding("capture", capture / 100 * norm, transition=kind, shells=capture_shells(beta))
        if positron:
            mean = beta["averageBetaPlusEnergy"] or 0.0
            yield Feeding("beta+", positron / 100 * norm, beta["endPointBetaPlusEnergy"] or 0.0, mean, kind)


def daughter_name(document):
    symbol = document["daughterID"].rstrip("0123456789")
    return f"{symbol}-{document['daughterAtomicMass']}"


def half_life(records):
    for record in records or []:
        if record["halfLifeConverted"]:
            return record["halfLifeConverted"], record["dHalfLifeConverted"] or 0.0
    return 0.0, 0.0


def read(path):
    document = json.loads(path.read_text())
    norms = document["decaySchemeNormalization"][0]["normalizationRecord"][0]
    branching = norms["multiplerBranchingRatio"] if norms["multiplerBranchingRatio"] is not None else 1.0
    photon_norm = (norms["multiplerPhotonIntensity"] or 0.0) * branching / 100
    lepton_norm = (norms["multiplerLeptonIntensity"] if norms["multiplerLeptonIntensity"] is not None else 1.0) * branching
    parent = document["parentDecay"][0]
    spin = spin_and_parity(parent)
    levels = []
    for record in document["levelScheme"]:
        level_spin = spin_and_parity(record)
        life = half_life(record["isomerDecay"])[0]
        gammas = [transition(gamma, photon_norm) for gamma in record["gammaDecay"]]
        levels.append(Level(record["levelEnergy"], life, *level_spin, gammas, list(feedings(record, spin, lepton_norm, branching))))
    return Scheme(
        document["parentAtomicNumber"], document["parentAtomicMass"], MODES[document["decayMode"]], daughter_name(document),
        document["daughterAtomicNumber"], parent["parentDecayLevelEnergy"] or 0.0, parent["valueQ"] or 0.0, branching,
        *half_life(parent["halfLife"]), *spin, levels,
    )  # fmt: skip


def schemes(nuclide, parent_level_kev=0.0):
    """Every decay of a nuclide in the archive, from the level of that energy."""
    found = [read(path) for path in sorted(ARCHIVE.glob(f"j_input_{nuclide.replace('-', '')}_*.json"))]
    return [scheme for scheme in found if abs(scheme.parent_level - parent_level_kev) < 0.5]


@functools.cache
def conversion_rows():
    """Calculated coefficients of every transition of pure multipolarity in the archive."""
    rows = []
    for path in sorted(ARCHIVE.glob("*.json")):
        document = json.loads(path.read_text())
        for level in document["levelScheme"]:
            for gamma in level["gammaDecay"]:
                name = (gamma["multipolarity"] or "").strip("[]()")
                shells = {k: v for k, v in shell_coefficients(gamma).items() if v > 0} if name in PURE else {}
                if gamma["gammaEnergy"] and gamma["calculatedTotalInternalConversionCoefficient"] and len(shells) >= 2:
                    rows.append((name, document["daughterAtomicNumber"], gamma["gammaEnergy"], shells))
    return rows


def balance(level_index, scheme, totals):
    """What feeds a level, in all: from the parent and by transitions from above. `totals` gives each transition's intensity with its electrons."""
    inflow = sum(feeding.intensity for feeding in scheme.levels[level_index].feeding)
    for level in scheme.levels:
        inflow += sum(totals(transition) for transition in level.transitions if transition.final == level_index)
    return inflow


def isomer_scheme(scheme, level_kev, totals):
    """The isomeric transition of a level of a daughter: every decay feeds that level, and the levels below pass on what they get."""
    start = min(range(len(scheme.levels)), key=lambda index: abs(scheme.levels[index].energy - level_kev))
    population = {start: 1.0}
    levels = []
    for index in range(start, -1, -1):
        level = scheme.levels[index]
        outflow = sum(totals(transition) for transition in level.transitions)
        share = population.get(index, 0.0) / outflow if outflow else 0.0
        transitions = [replace(transition, intensity=transition.intensity * share) for transition in level.transitions] if share else []
        for transition in transitions:
            population[transition.final] = population.get(transition.final, 0.0) + totals(transition)
        levels.insert(0, replace(level, transitions=transitions, feeding=[]))
    top = scheme.levels[start]
    return replace(
        scheme, z=scheme.daughter_z, mode="it", parent_level=top.energy, q=0.0, branching=1.0, half_life_s=top.half_life_s,
        half_life_uncertainty_s=0.0, spin=top.spin, parity=top.parity, levels=levels,
    )  # fmt: skip
