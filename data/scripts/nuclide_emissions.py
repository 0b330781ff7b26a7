"""What one decay emits: lines, continua, captures and neutrinos, from decay schemes. Energies in keV, intensities per
decay of the parent."""

from collections import defaultdict

from atomic_relaxation import SHELLS, binding_kev, mean_binding_kev, of_one_vacancy
from beta_mean import allowed_mean
from internal_conversion import l_parts

LOWEST_LINE_KEV = 1.0
ELECTRON_REST_KEV = 510.99895
# Part of the L captures that come from L2 is this times Z²: the p1/2 wave function at the nucleus grows with Z
# (Bambynek et al., Rev. Mod. Phys. 49 (1977) 77: 4 % at Z = 54, 9 % at Z = 83).
L2_OF_L_CAPTURES = 1.3e-5
# Parts of the captures of weak branches for which the evaluation has none, and of those with too little energy for the
# K shell.
CAPTURES_WITHOUT_DATA = {"K": 0.85, "L": 0.12, "M": 0.03}
CAPTURES_BEYOND_K = {"L": 0.75, "M": 0.20}
M_ELECTRONS = {"M1": 2, "M2": 2, "M3": 4, "M4": 4, "M5": 6}


class Emissions:
    """Sums over the decay modes of one nuclide."""

    def __init__(self):
        self.gamma, self.conversion, self.alpha, self.betas, self.captures = [], [], [], [], []
        self.x_ray, self.auger = defaultdict(float), defaultdict(float)
        self.relaxation_kev, self.neutrino_kev, self.means_calculated = 0.0, 0.0, 0

    def vacancy(self, z, shell, number):
        """Fills `number` vacancies of a subshell of the neutral atom `z`; of a whole shell if there is no digit."""
        if shell == "M":
            occupied = {name: n for name, n in M_ELECTRONS.items() if binding_kev(z, name) > 0}
            total = sum(n * binding_kev(z, name) for name, n in occupied.items())
            for name, n in occupied.items():
                self.vacancy(z, name, number * n * mean_binding_kev(z, "M") / total)
            return
        if shell not in SHELLS:
            self.relaxation_kev += number * (mean_binding_kev(z, shell) if len(shell) == 1 else binding_kev(z, shell))
            return
        x_rays, augers, rest = of_one_vacancy(z, shell)
        self.relaxation_kev += number * rest
        for lines, listed in ((x_rays, self.x_ray), (augers, self.auger)):
            for energy, share in lines:
                if energy >= LOWEST_LINE_KEV:
                    listed[z, energy] += number * share
                else:
                    self.relaxation_kev += number * share * energy

    def transition(self, z, transition, alphas):
        """Photons and conversion electrons of a nuclear transition."""
        if transition.intensity <= 0:
            return
        if transition.multipoles == ("E0",):
            self.convert(z, transition.energy, "K", transition.intensity)
            return
        self.gamma.append((transition.energy, transition.intensity))
        for shell, alpha in alphas.items():
            number = transition.intensity * alpha
            if shell == "L":
                for index, part in enumerate(l_parts(transition.multipoles, transition.mixing_ratio), 1):
                    self.convert(z, transition.energy, f"L{index}", number * part)
            else:
                self.convert(z, transition.energy, shell, number)

    def convert(self, z, energy, shell, number):
        """Conversion electrons of one shell, and what fills the holes."""
        binding = mean_binding_kev(z, shell) if len(shell) == 1 else binding_kev(z, shell)
        if energy <= binding or number <= 0:
            self.relaxation_kev += number * energy
            return
        if energy - binding >= LOWEST_LINE_KEV:
            self.conversion.append((energy - binding, number))
        else:
            self.relaxation_kev += number * (energy - binding)
        self.vacancy(z, shell, number)

    def capture(self, z, level_kev, q_kev, shells, number):
        """A capture branch: the holes, and the neutrino; `shells` are parts, the rest comes from N and beyond."""
        parts = {}
        second = min(0.3, L2_OF_L_CAPTURES * z * z) if binding_kev(z, "L2") else 0.0
        for shell, part in shells.items():
            if shell == "L":
                parts["L1"], parts["L2"] = part * (1 - second), part * second
            else:
                parts[{"M": "M1"}.get(shell, shell)] = part
        parts["N1"] = max(0.0, 1.0 - sum(parts.values()))
        for shell, part in parts.items():
            self.vacancy(z, shell, number * part)
            self.neutrino_kev += number * part * (q_kev - binding_kev(z, shell))
        known = {"k": shells.get("K", 0.0), "l": shells.get("L", 0.0)}
        self.captures.append({"level_mev": level_kev * 1e-3, "q_mev": q_kev * 1e-3, "intensity": number, **known})

    def beta(self, z, a, level_kev, feeding, q_kev):
        """A beta continuum of a transition of `q_kev`. The endpoint follows from it: evaluations also quote measured
        ones that disagree with Q."""
        endpoint = q_kev - (2 * ELECTRON_REST_KEV if feeding.kind == "beta+" else 0.0)
        mean = feeding.mean
        if mean <= 0.0:
            mean = allowed_mean(z, a, endpoint, feeding.kind)
            self.means_calculated += 1
        self.neutrino_kev += feeding.intensity * (endpoint - mean)
        self.betas.append({
            "mode": feeding.kind, "daughter_atomic_number": z, "mass_number": a, "endpoint_mev": endpoint * 1e-3,
            "intensity": feeding.intensity,
            "transition": feeding.transition, "level_mev": level_kev * 1e-3, "mean_mev": mean * 1e-3,
        })  # fmt: skip

    def feeding(self, scheme, level, feeding):
        """One way of feeding one level."""
        if feeding.intensity <= 0:
            return
        q = scheme.q + scheme.parent_level - level.energy
        if feeding.kind == "alpha":
            self.alpha.append((feeding.energy or q * (scheme.a - 4) / scheme.a, feeding.intensity))
        elif feeding.kind == "capture":
            default = CAPTURES_WITHOUT_DATA if q > binding_kev(scheme.daughter_z, "K") else CAPTURES_BEYOND_K
            self.capture(scheme.daughter_z, level.energy, q, feeding.shells or default, feeding.intensity)
        else:
            self.beta(scheme.daughter_z, scheme.a, level.energy, feeding, q)

    def lines(self):
        """Lines by kind [(keV, intensity)]."""
        x_ray, auger = ([(energy, number) for (_, energy), number in kind.items()] for kind in (self.x_ray, self.auger))
        return {"gamma": self.gamma, "x_ray": x_ray, "conversion": self.conversion, "auger": auger, "alpha": self.alpha}
