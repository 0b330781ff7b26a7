"""Writes data/nuclides/*.toml from ENSDF (paceENSDF), xraylib and the corrections listed in nuclide_corrections.toml,
and prints how energy closes.

    pip install -r data/scripts/requirements.txt
    python data/scripts/nuclides.py [NAME ...]
"""

import functools
import pathlib
import sys

import nuclide_toml
from ensdf_schemes import conversion_rows, drop_assumptions, normalise, place_once, schemes
from internal_conversion import Coefficients, completed
from nuclide_corrections import Corrections
from nuclide_emissions import ELECTRON_REST_KEV, Emissions

NUCLIDES = pathlib.Path(__file__).resolve().parent.parent / "nuclides"
# Longer half-lives than this count as stable: no decay of such a daughter adds to a dose.
STABLE_S = 1e9 * 3.15576e7
ALPHA_U = 4.001506
# A normalisation that changes a branch by less is not worth a sentence.
SAID_ABOVE = 2e-4
# The energy emitted may be off the energy set free by this part of it, beyond which the scheme needs a correction.
MAX_OFF = 0.004
NAMES = """
Ac-225 Ac-226 Ac-227 Ag-111 As-77 At-211 At-215 At-217 Au-198 Au-199 Bi-207 Bi-211 Bi-212 Bi-213 Br-77 C-11 Ce-134 Co-55
Cs-131 Cu-61 Cu-62 Cu-64 Cu-67 Dy-165 Er-165 Er-169 Eu-145 Eu-149 F-18 Fr-221 Fr-223 Ga-67 Ga-68 Gd-149 Ge-68 Hg-197
Ho-166 I-123 I-124 I-125 I-131 In-111 Ir-192 La-134 Lu-177 Mn-52 N-13 O-15 P-32 P-33 Pb-203 Pb-209 Pb-211 Pb-212 Pm-145
Po-211 Po-212 Po-213 Po-214 Po-215 Po-216 Pr-142 Pt-195m Ra-221 Ra-222 Ra-223 Ra-224 Ra-225 Rb-82 Re-186 Re-188 Rh-105
Rn-217 Rn-218 Rn-219 Rn-220 Ru-97 Sb-119 Sc-43 Sc-44 Sc-47 Sm-145 Sm-153 Sn-117m Sr-82 Sr-89 Sr-90 Tb-149 Tb-152 Tb-155
Tb-161 Tc-99m Th-226 Th-227 Th-228 Th-229 Ti-45 Tl-201 Tl-207 Tl-208 Tl-209 Tm-170 U-230 W-188 Xe-131m Xe-133 Y-86 Y-90
Y-91 Yb-175 Zr-89
""".split()


@functools.cache
def coefficients():
    return Coefficients(conversion_rows())


def totals(z):
    """Function that gives a transition's intensity with its conversion electrons, in the atom `z`."""
    return lambda transition: transition.intensity * (1.0 + sum(completed(transition, z, coefficients())[0].values()))


def decay_rows(scheme, corrections):
    """The `[[decay]]` tables of one scheme: the ground state of the daughter, and its isomers that have files."""
    branching = scheme.branching
    rows = []
    for name, level_kev, intensity in corrections.fed_isomers(scheme):
        branching -= intensity
        q_mev = (scheme.q + scheme.parent_level - level_kev) * 1e-3
        rows.append({"mode": scheme.mode, "daughter": name, "branching": intensity, "q_mev": q_mev})
    life = scheme.levels[0].half_life_s or max((own.half_life_s for own in schemes(scheme.daughter)), default=0.0)
    row = {
        "mode": scheme.mode,
        "daughter": scheme.daughter,
        "branching": branching,
        "q_mev": (scheme.q + scheme.parent_level) * 1e-3,
    }
    row["daughter_half_life_s"] = life if scheme.daughter not in NAMES and 0.0 < life < STABLE_S else None
    return [row, *rows]


def source(found):
    """Where the figures come from, unless `corrections` says otherwise."""
    daughters = " and ".join(dict.fromkeys(scheme.daughter for scheme in found))
    chains = " and ".join(dict.fromkeys(daughter.split("-")[1].rstrip("m") for daughter in daughters.split(" and ")))
    return (
        f"ENSDF (National Nuclear Data Center), decay to {daughters}, Nuclear Data Sheets, A = {chains}; "
        "archive of 2023-10-13 as packaged by "
        "paceENSDF 0.6.3 (BSD-3-Clause). X-rays, Auger electrons and relaxation: from the vacancies, "
        "with xraylib 4.3.0 (BSD-3-Clause)."
    )


def settle(scheme, sentences):
    """Makes a scheme add up: lines counted once, no conversion electrons that a level cannot spare, branches
    normalised."""
    of_transition = totals(scheme.daughter_z)
    repeated = place_once(scheme, of_transition)
    if repeated:
        sentences.append(
            f"Gamma lines that the decay to {scheme.daughter} places more than once, undivided: {repeated}; "
            "each is counted once, where the balance of the levels can spare it."
        )
    drop_assumptions(scheme, of_transition)
    before = normalise(scheme, of_transition)
    if before and abs(before - scheme.branching) > SAID_ABOVE * scheme.branching:
        sentences.append(
            f"Branches to {scheme.daughter} add up to {before:.5g} in the evaluation; "
            f"normalised to {scheme.branching:.5g}."
        )


def emitted(found, sentences):
    """Emissions of all decays."""
    emissions, interpolated = Emissions(), 0
    for scheme in found:
        for level in scheme.levels:
            for feeding in level.feeding:
                emissions.feeding(scheme, level, feeding)
            for transition in level.transitions:
                alphas, is_interpolated = completed(transition, scheme.daughter_z, coefficients())
                interpolated += is_interpolated and transition.intensity > 0
                emissions.transition(scheme.daughter_z, transition, alphas)
    if emissions.means_calculated:
        sentences.append(f"Mean energies of betas calculated for the allowed shape: {emissions.means_calculated}.")
    if interpolated:
        sentences.append(
            "Transitions with conversion coefficients interpolated between BrIcc values of the same archive: "
            f"{interpolated}."
        )
    return emissions


def nuclide(name, corrections):
    """Everything in one file, and the energy of the neutrinos."""
    found, sentences = corrections.schemes(name)
    decays = []
    for scheme in found:
        settle(scheme, sentences)
        decays += decay_rows(scheme, corrections)
    emissions = emitted(found, sentences)
    return {
        "name": name,
        "half_life_s": found[0].half_life_s,
        "half_life_uncertainty_s": found[0].half_life_uncertainty_s,
        "source": source(found),
        "corrections": sentences,
        "relaxation_mev": emissions.relaxation_kev * 1e-3,
        "decay": decays,
        "beta": emissions.betas,
        "capture": emissions.captures,
        "lines": {
            kind: [(energy * 1e-3, number) for energy, number in rows] for kind, rows in emissions.lines().items()
        },
        "neutrino_mev": emissions.neutrino_kev * 1e-3,
        "mass_number": found[0].a,
    }


def closure(nuclide):
    """Energy per decay by kind [MeV], and the energy that the decays set free."""
    energy = {kind: sum(e * n for e, n in lines) for kind, lines in nuclide["lines"].items()}
    energy["recoil"] = energy["alpha"] * ALPHA_U / (nuclide["mass_number"] - ALPHA_U)
    energy["beta"] = sum(row["mean_mev"] * row["intensity"] for row in nuclide["beta"])
    positrons = sum(row["intensity"] for row in nuclide["beta"] if row["mode"] == "beta+")
    energy["annihilation"] = 2e-3 * ELECTRON_REST_KEV * positrons
    energy["relaxation"] = nuclide["relaxation_mev"]
    energy["neutrino"] = nuclide["neutrino_mev"]
    return energy, sum(row["branching"] * row["q_mev"] for row in nuclide["decay"])


def report(nuclide):
    """Prints means [keV] and the balance of one nuclide; returns by what part of the energy set free it is off."""
    energy, released = closure(nuclide)
    total = sum(energy.values())
    electron = sum(energy[kind] for kind in ("beta", "conversion", "auger", "relaxation"))
    photon = sum(energy[kind] for kind in ("gamma", "x_ray", "annihilation"))
    row = (electron, photon, energy["alpha"], energy["recoil"], energy["neutrino"], total, released)
    off = total / released - 1.0
    print(f"{nuclide['name']:9}" + "".join(f"{value * 1e3:11.3f}" for value in row) + f"{off * 100:9.3f}")
    return off


def main(names):
    corrections = Corrections(totals)
    columns = ("electron", "photon", "alpha", "recoil", "neutrino", "all", "released")
    print(f"{'keV':9}" + "".join(f"{column:>11}" for column in columns) + f"{'off %':>9}")
    unbalanced = []
    for name in names or NAMES:
        made = nuclide(name, corrections)
        (NUCLIDES / f"{name}.toml").write_text("\n".join(nuclide_toml.render(made)) + "\n")
        if abs(report(made)) > MAX_OFF:
            unbalanced.append(name)
    if unbalanced:
        sys.exit(f"energy does not close: {', '.join(unbalanced)}")


if __name__ == "__main__":
    main(sys.argv[1:])
