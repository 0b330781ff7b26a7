"""What fills the vacancies that electron capture and internal conversion leave: X-rays, Auger electrons and the rest.

Mean numbers, no sampling: a vacancy goes down shell by shell with xraylib's fluorescence yields, line rates, Auger
rates and Coster-Kronig probabilities. Every vacancy gives back its binding energy, so energy closes: what an Auger
electron has less than the difference of the neutral atom's binding energies (the second hole binds more strongly: half
way between Z and Z + 1, Chung & Jenkins, Surf. Sci. 22 (1970) 479), and all from the N shell outwards, is counted as
relaxation."""

import functools
import re

import xraylib

SHELLS = ("K", "L1", "L2", "L3", "M1", "M2", "M3", "M4", "M5")
OUTER = tuple(f"{major}{i}" for major, count in (("N", 7), ("O", 5), ("P", 3)) for i in range(1, count + 1))
AUGER = re.compile(r"(K|L[123])_([LMNOPQ]\d)([LMNOPQ]\d)_AUGER")
COSTER_KRONIG = {
    "L1": ("L2", "L3"),
    "L2": ("L3",),
    "M1": ("M2", "M3", "M4", "M5"),
    "M2": ("M3", "M4", "M5"),
    "M3": ("M4", "M5"),
    "M4": ("M5",),
}


def known(function, *arguments):
    """A value of xraylib, 0 where it has none."""
    try:
        return function(*arguments)
    except ValueError:
        return 0.0


@functools.cache
def binding_kev(z, shell):
    return known(xraylib.EdgeEnergy, z, getattr(xraylib, f"{shell}_SHELL"))


@functools.cache
def mean_binding_kev(z, major):
    """Binding energy of a whole shell, averaged over its electrons."""
    if major == "K":
        return binding_kev(z, "K")
    shells = [f"{major}{i}" for i in range(1, 8) if hasattr(xraylib, f"{major}{i}_SHELL")]
    electrons = [known(xraylib.ElectronConfig, z, getattr(xraylib, f"{shell}_SHELL")) for shell in shells]
    total = sum(electrons)
    return sum(n * binding_kev(z, shell) for n, shell in zip(electrons, shells)) / total if total else 0.0


def electron_kev(z, start, *holes):
    """Auger energy of a vacancy in `start` that ends in two others."""
    return binding_kev(z, start) - sum(0.5 * (binding_kev(z, hole) + binding_kev(z + 1, hole)) for hole in holes)


@functools.cache
def radiative(z, shell):
    """(final shell, share of the fluorescence of `shell`) of every line."""
    finals = [other for other in SHELLS + OUTER if hasattr(xraylib, f"{shell}{other}_LINE")]
    rates = [(final, known(xraylib.RadRate, z, getattr(xraylib, f"{shell}{final}_LINE"))) for final in finals]
    rates = [(final, rate) for final, rate in rates if rate > 0 and 0 < binding_kev(z, final) < binding_kev(z, shell)]
    total = sum(rate for _, rate in rates)
    return [(final, rate / total) for final, rate in rates]


@functools.cache
def non_radiative(z, shell):
    """(two holes, share of the Auger decays of `shell`), Coster-Kronig transitions apart."""
    if shell.startswith("M"):
        return [(("N4", "N5"), 1.0)] if electron_kev(z, shell, "N4", "N5") > 0 else []
    rates = []
    for name in dir(xraylib):
        match = AUGER.fullmatch(name)
        if match and match[1] == shell and match[2][0] != shell[0] and match[3][0] != shell[0]:
            rate = known(xraylib.AugerRate, z, getattr(xraylib, name))
            if rate > 0 and electron_kev(z, shell, match[2], match[3]) > 0:
                rates.append(((match[2], match[3]), rate))
    total = sum(rate for _, rate in rates)
    return [(holes, rate / total) for holes, rate in rates]


def group(shell, *finals):
    """Lines are listed by the shells they join, those from the N shell outwards together; K lines to L by subshell."""
    if len(finals) == 1 and shell == "K" and finals[0].startswith("L"):
        return shell + finals[0]
    return shell + "".join(final[0] if final[0] in "KLM" else "X" for final in finals)


class Cascade:
    """Lines {group: [number, energy]} of X-rays and Auger electrons, and what is left over [keV]."""

    def __init__(self, z, vacancies):
        self.z = z
        self.vacancies = dict.fromkeys(SHELLS, 0.0)
        self.x_rays, self.augers, self.rest_kev = {}, {}, 0.0
        for shell, number in vacancies.items():
            self.leave(shell, number)
        for shell in SHELLS:
            if self.vacancies[shell] > 0:
                self.fill(shell, self.vacancies[shell])

    def leave(self, shell, number):
        """A vacancy in `shell`: to be filled later, or relaxation."""
        if shell in self.vacancies:
            self.vacancies[shell] += number
        else:
            self.rest_kev += number * binding_kev(self.z, shell)

    @staticmethod
    def emit(lines, name, number, energy_kev):
        line = lines.setdefault(name, [0.0, 0.0])
        line[0] += number
        line[1] += number * energy_kev

    def fill(self, shell, number):
        left = number
        fluorescence = known(xraylib.FluorYield, self.z, getattr(xraylib, f"{shell}_SHELL"))
        lines = radiative(self.z, shell)
        if lines:
            left -= number * fluorescence
        for final, share in lines:
            energy = binding_kev(self.z, shell) - binding_kev(self.z, final)
            self.emit(self.x_rays, group(shell, final), number * fluorescence * share, energy)
            self.leave(final, number * fluorescence * share)
        for final in COSTER_KRONIG.get(shell, ()):
            probability = known(xraylib.CosKronTransProb, self.z, getattr(xraylib, f"F{shell}{final[1]}_TRANS"))
            left -= number * probability
            self.coster_kronig(shell, final, number * probability)
        holes = non_radiative(self.z, shell)
        for pair, share in holes:
            energy = electron_kev(self.z, shell, *pair)
            self.emit(self.augers, group(shell, *sorted(pair)), left * share, energy)
            self.rest_kev += (
                left * share * (binding_kev(self.z, shell) - energy - sum(binding_kev(self.z, hole) for hole in pair))
            )
            for hole in pair:
                self.leave(hole, left * share)
        if not holes:
            self.rest_kev += left * binding_kev(self.z, shell)

    def coster_kronig(self, shell, final, number):
        """The vacancy moves within its shell; the electron comes from M5 if the energy is enough, otherwise it is
        relaxation."""
        energy = electron_kev(self.z, shell, final, "M5") if shell.startswith("L") else 0.0
        self.leave(final, number)
        gain = binding_kev(self.z, shell) - binding_kev(self.z, final)
        if energy > 0:
            self.emit(self.augers, f"{shell}{final}M", number, energy)
            self.leave("M5", number)
            gain -= energy + binding_kev(self.z, "M5")
        self.rest_kev += number * gain


@functools.cache
def of_one_vacancy(z, shell):
    """X-ray lines and Auger lines [(keV, number)] and relaxation [keV] after one vacancy in `shell`."""
    cascade = Cascade(z, {shell: 1.0})
    lines = [
        [(energy / number, number) for number, energy in kind.values() if number > 0]
        for kind in (cascade.x_rays, cascade.augers)
    ]
    return lines[0], lines[1], cascade.rest_kev
