"""Applies nuclide_corrections.toml to decay schemes, and says so."""

import pathlib
import tomllib

from ensdf_schemes import Feeding, Level, Scheme, Transition, balance, isomer_scheme, schemes
from internal_conversion import SHELLS

CORRECTIONS = pathlib.Path(__file__).with_name("nuclide_corrections.toml")
# Branches weaker than this, and those with fewer particles than this in the evaluation, are left out.
WEAKEST_BRANCH = 1e-5


class Corrections:
    """`totals(z)` gives the function that counts a transition with its conversion electrons."""

    def __init__(self, totals):
        self.tables = tomllib.loads(CORRECTIONS.read_text())
        self.totals = totals

    def of(self, table, nuclide):
        return [entry for entry in self.tables.get(table, []) if entry["nuclide"] == nuclide]

    def schemes(self, name):
        """Decay schemes of a nuclide, corrected, isomeric transition first; with them a sentence for each
        correction."""
        sentences = []
        isomer = next((entry for entry in self.tables["isomer"] if entry["name"] == name), None)
        found = schemes(isomer["nucleus"], isomer["level_kev"]) if isomer else schemes(name)
        if isomer:
            of_parent = schemes(isomer["scheme_of"], isomer.get("parent_level_kev", 0.0))
            source = next(scheme for scheme in of_parent if scheme.daughter == isomer["nucleus"])
            self.transitions(name, source, sentences)
            found.insert(0, isomer_scheme(source, isomer["level_kev"], self.totals(source.daughter_z)))
            scheme_of = isomer["scheme_of"]
            sentences.append(
                f"Isomeric transition: from the decay of {scheme_of}; "
                "the package has no data sets of isomeric transitions."
            )
        else:
            for scheme in found:
                self.transitions(name, scheme, sentences)
                self.replace(name, scheme, sentences)
        self.branches(name, found, sentences)
        for entry in self.of("half_life", name):
            for scheme in found:
                scheme.half_life_s, scheme.half_life_uncertainty_s = entry["half_life_s"], entry["uncertainty_s"]
            sentences.append(f"Half-life: {entry['source']}.")
        sentences += [entry["text"] for entry in self.of("note", name)]
        return found, list(dict.fromkeys(sentences))

    def transitions(self, name, scheme, sentences):
        """Intensity with conversion electrons (`total`), or total conversion coefficient (`alpha`), of single
        transitions."""
        for entry in self.of("transition", name):
            matching = [
                t for level in scheme.levels for t in level.transitions if abs(t.energy - entry["energy_kev"]) < 0.05
            ]
            for transition in matching:
                if "alpha" in entry:
                    whole = transition.total_alpha
                    transition.shells = {
                        shell: value * entry["alpha"] / whole for shell, value in transition.shells.items()
                    }
                    transition.total_alpha = entry["alpha"]
                if "total" in entry:
                    transition.assumed = False
                    transition.intensity = 1.0
                    transition.intensity = entry["total"] / self.totals(scheme.daughter_z)(transition)
            if matching:
                by_total = f"{entry.get('total')} per decay with its conversion electrons"
                what = f"conversion coefficient {entry['alpha']}" if "alpha" in entry else by_total
                sentences.append(f"Transition of {entry['energy_kev']} keV: {what}, {entry['source']}.")

    def replace(self, name, scheme, sentences):
        """Whole lists carried over from another evaluation, and means of betas to be calculated anew."""
        for entry in self.of("alphas", name):
            for level in scheme.levels:
                level.feeding = [feeding for feeding in level.feeding if feeding.kind != "alpha"]
            scheme.levels[0].feeding += [Feeding("alpha", intensity, energy) for energy, intensity in entry["rows"]]
            sentences.append(f"Alphas: {entry['source']}.")
        for entry in self.of("electromagnetic", name):
            for level in scheme.levels:
                level.transitions = []
            for energy, photons, *electrons in entry["rows"]:
                shells = {shell: number / photons for shell, number in zip(SHELLS, electrons) if number}
                scheme.levels[-1].transitions.append(
                    Transition(energy, 0, photons, (), None, sum(shells.values()), shells)
                )
            sentences.append(f"Gamma lines and conversion electrons: {entry['source']}.")
        for entry in self.of("beta_means", name):
            for feeding in (feeding for level in scheme.levels for feeding in level.feeding):
                feeding.mean = 0.0
            sentences.append(f"Mean beta energies: {entry['source']}.")

    def branches(self, name, found, sentences):
        """Adds branches that the package lacks, drops those without particles, and lets them add up to 1."""
        for scheme in list(found):
            fed = sum(feeding.intensity for level in scheme.levels for feeding in level.feeding)
            if scheme.mode != "it" and fed < WEAKEST_BRANCH:
                found.remove(scheme)
                if scheme.branching > 0.0:
                    reason = "the evaluation knows no particles, or fewer than 1e-5"
                    sentences.append(f"Branch to {scheme.daughter} ({scheme.branching:.3g}) left out: {reason}.")
        for entry in self.of("branch", name):
            found.append(branch(found[0], entry))
            sentences.append(f"Branch to {entry['daughter']} ({entry['branching']}) added: {entry['source']}.")
        whole = sum(scheme.branching for scheme in found)
        for scheme in found:
            scheme.branching /= whole

    def fed_isomers(self, scheme):
        """Levels of the daughter that have a file of their own: (name, level energy, intensity); their transitions are
        taken out."""
        for isomer in self.tables["isomer"]:
            if isomer["nucleus"] == scheme.daughter and scheme.mode != "it":
                for index, level in enumerate(scheme.levels):
                    if abs(level.energy - isomer["level_kev"]) < 0.5:
                        level.transitions = []
                        yield isomer["name"], level.energy, balance(index, scheme, self.totals(scheme.daughter_z))


def branch(parent, entry):
    """A beta branch to the ground state alone."""
    feeding = Feeding("beta-", entry["branching"], entry["q_kev"], transition=entry["transition"])
    return Scheme(
        parent.z, parent.a, "beta-", entry["daughter"], parent.z + 1, 0.0, entry["q_kev"], entry["branching"],
        parent.half_life_s,
        parent.half_life_uncertainty_s, parent.spin, parent.parity, [Level(0.0, 0.0, 0.0, None, 0, [], [feeding])],
    )  # fmt: skip
