"""Writes data/nuclides/*.toml from ENSDF (paceENSDF), xraylib and the corrections listed in nuclide_corrections.toml, and prints how energy closes.

    pip install -r data/scripts/requirements.txt
    python data/scripts/nuclides.py [NAME ...]
"""

import functools
import pathlib
import sys

import nuclide_toml
from ensdf_schemes import conversion_rows, drop_assumptions, normalise, place_once
from internal_conversion import Coefficients, completed
from nuclide_corrections import Corrections
from nuclide_emissions import ELECTRON_REST_KEV, Emissions

NUCLIDES = pathlib.Path(__file__).resolve().parent.parent / "nuclides"
# Longer half-lives than this count as stable: no decay of such a daughter adds to a dose.
STABLE_S = 1e9 * 3.15576e7
NAMES = """
Ac-225 Ac-227 Ag-111 At-211 At-215 At-217 Bi-207 Bi-211 Bi-212 Bi-213 C-11 Cu-64 Cu-67 Er-169 Eu-145 Eu-149 F-18 Fr-221 Fr-223 Ga-67 Ga-68 Gd-149
Ge-68 Ho-166 I-123 I-124 I-125 I-131 In-111 Lu-177 N-13 O-15 P-32 Pb-203 Pb-209 Pb-211 Pb-212 Pm-145 Po-211 Po-212 Po-213 Po-215 Po-216 Ra-221
Ra-223 Ra-224 Ra-225 Re-186 Re-188 Rh-105 Rn-217 Rn-219 Rn-220 Sc-43 Sc-44 Sc-47 Sm-145 Sm-153 Sr-89 Sr-90 Tb-149 Tb-152 Tb-155 Tb-161 Tc-99m
Th-227 Th-228 Tl-201 Tl-207 Tl-208 Tl-209 Xe-131m Xe-133 Y-86 Y-90 Zr-89
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
        rows.append({"mode": scheme.mode, "daughter": name, "branching": intensity, "q_mev": (scheme.q + scheme.parent_level - level_kev) * 1e-3})
    life = scheme.levels[0].half_life_s if scheme.daughter not in NAMES else 0.0
    row = {"mode": scheme.mode, "daughter": scheme.daughter, "branching": branching, "q_mev": (scheme.q + scheme.parent_level) * 1e-3}
    row["daughter_half_life_s"] = life if 0.0 < life < STABLE_S else None
    return [row, *rows]


def nuclide(name, corrections):
    """Everything in one file."""
    found, sentences = corrections.schemes(name)
    emissions, decays, interpolated = Emissions(), [], 0
    for scheme in found:
        repeated = place_once(scheme, totals(scheme.daughter_z))
        if repeated:
            sentences.append(f"{repeated} gamma lines that the decay to {scheme.daughter} places twice without dividing their intensity counted once, where the balance of the levels can spare them.")
        drop_assumptions(scheme, totals(scheme.daughter_z))
        before = normalise(scheme, totals(scheme.daughter_z))
        if before and abs(before - scheme.branching) > 2e-4 * scheme.branching:
            sentences.append(f"Branches to {scheme.daughter} add up to {before:.5g} in the evaluation; normalised to {scheme.branching:.5g}.")
        decays += decay_rows(scheme, corrections)
        for level in scheme.levels:
            for feeding in level.feeding:
                emissions.feeding(scheme, level, feeding)
            for transition in level.transitions:
                alphas, guessed = completed(transition, scheme.daughter_z, coefficients())
                interpolated += guessed and transition.intensity > 0
                emissions.transition(scheme.daughter_z, transition, alphas)
    if interpolated:
        sentences.append(f"Conversion coefficients of {interpolated} transitions interpolated between BrIcc values of the same archive.")
    kinds = {"gamma": emissions.gamma, "conversion": emissions.conversion, "alpha": emissions.alpha}
    kinds["x_ray"] = [(energy, number) for (_, energy), number in emissions.x_ray.items()]
    kinds["auger"] = [(energy, number) for (_, energy), number in emissions.auger.items()]
    return {
        "name": name,
        "half_life_s": found[0].half_life_s,
        "half_life_uncertainty_s": found[0].half_life_uncertainty_s,
        "source": "ENSDF (National Nuclear Data Center, Nuclear Data Sheets), archive of 2023-10-13 as packaged by paceENSDF 0.6.3 (BSD-3-Clause); X-rays and Auger electrons from xraylib 4.3.0 (BSD-3-Clause).",
        "corrections": sentences,
        "relaxation_mev": emissions.relaxation_kev * 1e-3,
        "decay": decays,
        "beta": emissions.betas,
        "capture": emissions.captures,
        "lines": {kind: [(energy * 1e-3, number) for energy, number in lines] for kind, lines in kinds.items()},
        "neutrino_mev": emissions.neutrino_kev * 1e-3,
    }


def closure(nuclide):
    """Energy per decay by kind [MeV], the energy the decays set free, and what the kinds make of it."""
    energy = {kind: sum(e * n for e, n in lines) for kind, lines in nuclide["lines"].items()}
    a = nuclide["mass_number"]
    energy["recoil"] = energy["alpha"] * 4.0026 / (a - 4.0026)
    energy["beta"] = sum(row["mean_mev"] * row["intensity"] for row in nuclide["beta"])
    energy["annihilation"] = 2e-3 * ELECTRON_REST_KEV * sum(row["intensity"] for row in nuclide["beta"] if row["mode"] == "beta+")
    energy["relaxation"] = nuclide["relaxation_mev"]
    energy["neutrino"] = nuclide["neutrino_mev"]
    return energy, sum(row["branching"] * row["q_mev"] for row in nuclide["decay"])


def main(names):
    corrections = Corrections(totals)
    NUCLIDES.mkdir(exist_ok=True)
    print("nuclide  " + "".join(f"{kind:>10}" for kind in ("electron", "photon", "alpha", "released", "emitted", "off %", "off/em %")))
    for name in names or NAMES:
        made = nuclide(name, corrections)
        made["mass_number"] = int(name.split("-")[1].rstrip("m"))
        (NUCLIDES / f"{name}.toml").write_text("\n".join(nuclide_toml.render(made)) + "\n")
        energy, released = closure(made)
        emitted = sum(energy.values())
        electron = sum(energy[kind] for kind in ("beta", "conversion", "auger", "relaxation"))
        photon = sum(energy[kind] for kind in ("gamma", "x_ray", "annihilation"))
        off = emitted - released
        print(f"{name:9}{electron * 1e3:10.3f}{photon * 1e3:10.3f}{energy['alpha'] * 1e3:10.2f}{released * 1e3:10.2f}{emitted * 1e3:10.2f}{off / released * 100:10.3f}{off / (emitted - energy['neutrino']) * 100:10.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
