"""Decay schemes of ENSDF as packaged by paceENSDF: levels, what feeds them, the transitions between them. Energies in
keV, intensities per decay."""

import functools
import json
import pathlib
from dataclasses import dataclass, field, replace

import paceENSDF
from internal_conversion import PURE, multipoles, shell_coefficients

# Below this energy the coefficients depend too much on the multipolarity for it to be taken from spins and parities
# alone.
ASSUMED_ABOVE_KEV = 80.0
ARCHIVE = pathlib.Path(paceENSDF.__file__).parent / "ENSDF_JSON"
MODES = {"betaMinusDecay": "beta-", "electronCaptureBetaPlusDecay": "beta+/ec", "alphaDecay": "alpha"}
FORBIDDENNESS = {
    "0A": "allowed", "1A": "allowed", "1F": "1NU", "1UF": "1U", "2F": "2NU", "2UF": "2U",
    "3F": "3NU", "3UF": "3U", "4F": "4NU", "4UF": "4U",
    "5F": "5NU",
}  # fmt: skip


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
    assumed: bool = False


@dataclass
class Level:
    energy: float
    half_life_s: float
    half_life_uncertainty_s: float
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


def lowest_multipoles(upper, lower):
    """What the spins and parities of two levels allow, E2 mixed into M1; empty where they are not known."""
    (spin, parity), (final_spin, final_parity) = upper, lower
    if None in (spin, final_spin) or 0 in (parity, final_parity) or spin + final_spin < 1:
        return ()
    change, flips = max(1, int(abs(spin - final_spin))), parity != final_parity
    if change == 1:
        return ("E1",) if flips else ("M1", "E2")
    return (f"{'E' if (change % 2 == 1) == flips else 'M'}{change}",) if change <= 4 else ()


def transition(record, norm, spins):
    alpha = (
        record["calculatedTotalInternalConversionCoefficient"]
        or record["experimentalTotalInternalConversionCoefficient"]
    )
    shells = shell_coefficients(record)
    if alpha is None and shells:
        alpha = sum(shells.values())
    energy = record["gammaEnergy"] if record["gammaEnergyIsKnown"] else None
    energy = energy or record["levelEnergyInitial"] - record["levelEnergyFinal"]
    names = multipoles(record["multipolarity"])
    assumed = not names and not alpha and energy > ASSUMED_ABOVE_KEV
    if assumed:
        names = lowest_multipoles(spins[record["levelIndexInitial"]], spins[record["levelIndexFinal"]])
    return Transition(
        energy, record["levelIndexFinal"], (record["gammaIntensity"] or 0.0) * norm,
        names, mixing if isinstance(mixing := record["mixingRatio"], float) else None, alpha, shells, assumed,
    )  # fmt: skip


def capture_shells(record, captured):
    """{K, L, M: part of the captures}; a sum over outer shells counts for its first. Evaluations give parts of captures
    and positrons together."""
    shells = {}
    for part in record["calculatedAtomicShellElectronCaptureFractions"] or []:
        for shell in "KLM":
            shells[shell] = part[f"calculatedElectronCaptureFractionAtomicShell{shell}"] or 0.0
    for part in record["sumCalculatedAtomicShellElectronCaptureFractions"] or []:
        for shell in "LM":
            shells[shell] = shells.get(shell) or part[f"sumElectronCaptureFractionAtomicShellPlus{shell}"] or 0.0
    whole = sum(shells.values())
    if not (shells.get("K") or shells.get("L")) or whole <= 0.0:
        return {}
    divisor = max(captured, whole) if whole <= 1.02 * captured else max(1.0, whole)
    return {shell: part / divisor for shell, part in shells.items()}


def feedings(record, parent, norm, branching):
    """Every way the parent feeds one level."""
    level = spin_and_parity(record)
    for alpha in record.get("alphaDecay") or []:
        yield Feeding("alpha", (alpha["alphaIntensity"] or 0.0) / 100 * branching, alpha["alphaEnergy"] or 0.0)
    for beta in record.get("betaMinusDecay") or []:
        kind = forbiddenness(parent, level, beta["forbiddennessDegree"])
        mean = beta["averageBetaMinusEnergy"] or 0.0
        yield Feeding(
            "beta-",
            (beta["betaMinusIntensity"] or 0.0) / 100 * norm,
            beta["endPointBetaMinusEnergy"] or 0.0,
            mean,
            kind,
        )
    for beta in record.get("betaPlusDecay") or []:
        kind = forbiddenness(parent, level, beta["forbiddennessDegree"])
        capture, positron = beta["electronCaptureIntensity"] or 0.0, beta["betaPlusIntensity"] or 0.0
        total = beta["totalElectronCaptureBetaPlusIntensity"] or 0.0
        if capture + positron == 0.0:
            capture = total
        yield Feeding(
            "capture",
            capture / 100 * norm,
            transition=kind,
            shells=capture_shells(beta, capture / (capture + positron or 1.0)),
        )
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
    lepton_norm = (
        norms["multiplerLeptonIntensity"] if norms["multiplerLeptonIntensity"] is not None else 1.0
    ) * branching
    parent = document["parentDecay"][0]
    spin = spin_and_parity(parent)
    levels, spins = [], [spin_and_parity(record) for record in document["levelScheme"]]
    for record in document["levelScheme"]:
        level_spin = spin_and_parity(record)
        life = half_life(record["isomerDecay"])
        gammas = [transition(gamma, photon_norm, spins) for gamma in record["gammaDecay"]]
        levels.append(
            Level(
                record["levelEnergy"], *life, *level_spin, gammas, list(feedings(record, spin, lepton_norm, branching))
            )
        )
    return Scheme(
        document["parentAtomicNumber"], document["parentAtomicMass"], MODES[document["decayMode"]],
        daughter_name(document),
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
    """What feeds a level, in all: from the parent and by transitions from above. `totals` gives each transition's
    intensity with its electrons."""
    inflow = sum(feeding.intensity for feeding in scheme.levels[level_index].feeding)
    for level in scheme.levels:
        inflow += sum(totals(transition) for transition in level.transitions if transition.final == level_index)
    return inflow


def excess(index, scheme, totals):
    """What feeds a level less what leaves it."""
    return balance(index, scheme, totals) - sum(totals(transition) for transition in scheme.levels[index].transitions)


def drop_assumptions(scheme, totals):
    """Takes back multipolarities inferred from spins where the level cannot spare the conversion electrons they would
    add."""
    for index in range(len(scheme.levels) - 1, 0, -1):
        assumed = [transition for transition in scheme.levels[index].transitions if transition.assumed]
        if assumed and excess(index, scheme, totals) < 0.0:
            for transition in assumed:
                transition.multipoles = ()


def place_once(scheme, totals):
    """A gamma that the evaluation places more than once without dividing its intensity stays where the level can spare
    it most. Returns how many."""
    groups = {}
    for index, level in enumerate(scheme.levels):
        for transition in level.transitions:
            if transition.intensity > 0:
                groups.setdefault((transition.energy, transition.intensity), []).append((index, transition))
    repeated = [places for places in groups.values() if len(places) > 1]
    for places in repeated:
        spare = [excess(index, scheme, totals) for index, _ in places]
        chosen = spare.index(max(spare))
        for number, (_, transition) in enumerate(places):
            if number != chosen:
                transition.intensity = 0.0
    return len(repeated)


def normalise(scheme, totals):
    """Makes the branches add up to the branching. Alphas all by one factor; betas and captures either so or at the
    ground state, whose share evaluations infer from the rest, whichever brings the energy of the levels fed nearer to
    that of the transitions. Returns the sum before."""
    branches = [(level.energy, feeding) for level in scheme.levels for feeding in level.feeding]
    before = sum(feeding.intensity for _, feeding in branches)
    if before <= 0.0:
        return before
    changed, factor = branches, scheme.branching / before
    ground = [(energy, feeding) for energy, feeding in branches if energy == 0.0]
    fed = sum(feeding.intensity for _, feeding in ground)
    if scheme.mode != "alpha" and fed > before - scheme.branching:
        levels = sum(energy * feeding.intensity for energy, feeding in branches)
        left = sum(
            totals(transition) * transition.energy for level in scheme.levels for transition in level.transitions
        )
        if fed > 0.0 and abs(levels - left) < abs(levels * factor - left):
            changed, factor = ground, 1.0 - (before - scheme.branching) / fed
    for _, feeding in changed:
        feeding.intensity *= factor
    return before


def isomer_scheme(scheme, level_kev, totals):
    """The isomeric transition of a level of a daughter: every decay feeds that level, and the levels below pass on what
    they get."""
    start = min(range(len(scheme.levels)), key=lambda index: abs(scheme.levels[index].energy - level_kev))
    population = {start: 1.0}
    levels = []
    for index in range(start, -1, -1):
        level = scheme.levels[index]
        outflow = sum(totals(transition) for transition in level.transitions)
        share = population.get(index, 0.0) / outflow if outflow else 0.0
        transitions = (
            [replace(transition, intensity=transition.intensity * share) for transition in level.transitions]
            if share
            else []
        )
        for transition in transitions:
            population[transition.final] = population.get(transition.final, 0.0) + totals(transition)
        levels.insert(0, replace(level, transitions=transitions, feeding=[]))
    top = scheme.levels[start]
    return replace(
        scheme, z=scheme.daughter_z, mode="it", parent_level=top.energy, q=0.0, branching=1.0,
        half_life_s=top.half_life_s,
        half_life_uncertainty_s=top.half_life_uncertainty_s, spin=top.spin, parity=top.parity, levels=levels,
    )  # fmt: skip
