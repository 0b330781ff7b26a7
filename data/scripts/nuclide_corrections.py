"""Applies nuclide_corrections.toml to decay schemes."""

import pathlib
import tomllib

from ensdf_schemes import balance, isomer_scheme, schemes

CORRECTIONS = pathlib.Path(__file__).with_name("nuclide_corrections.toml")


class Corrections:
    def __init__(self, totals):
        self.tables = tomllib.loads(CORRECTIONS.read_text())
        self.totals = totals

    def of(self, table, nuclide):
        return [entry for entry in self.tables.get(table, []) if entry["nuclide"] == nuclide]

    def isomers(self):
        return self.tables.get("isomer", [])

    def schemes(self, name):
        """Decay schemes of a nuclide, isomeric transition first, not yet corrected."""
        for isomer in self.isomers():
            if isomer["name"] == name:
                source = next(scheme for scheme in schemes(isomer["scheme_of"]) if scheme.daughter == isomer["nucleus"])
                self.set_transitions(name, source)
                scheme = isomer_scheme(source, isomer["level_kev"], self.totals(source.daughter_z))
                scheme.half_life_uncertainty_s = isomer["half_life_uncertainty_s"]
                return [scheme, *schemes(isomer["nucleus"], isomer["level_kev"])]
        return schemes(name)

    def set_transitions(self, name, scheme):
        """Replaces the intensity of transitions, counted with their conversion electrons."""
        for entry in self.of("transition", name):
            for transition in (t for level in scheme.levels for t in level.transitions):
                if abs(transition.energy - entry["energy_kev"]) < 0.05:
                    transition.intensity = 1.0
                    transition.intensity = entry["total"] / self.totals(scheme.daughter_z)(transition)

    def fed_isomers(self, scheme):
        """Levels of the daughter that have a file of their own: (name, level energy, intensity); their transitions are taken out."""
        for isomer in self.isomers():
            if isomer["nucleus"] == scheme.daughter and scheme.mode != "it":
                for index, level in enumerate(scheme.levels):
                    if abs(level.energy - isomer["level_kev"]) < 0.5:
                        level.transitions = []
                        yield isomer["name"], level.energy, balance(index, scheme, self.totals(scheme.daughter_z))
