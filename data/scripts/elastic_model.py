"""First transport cross sections of elastic scattering for elements that a table lacks.

The model is the Born cross section of the atom, with the form factor of xraylib and the spin of the electron, plus what
the exact phase shifts of a bare nucleus (Dirac's equation, Coulomb's potential) add to the Born cross section of that
nucleus: screening acts at small angles, where Born is right, and the rest at large ones, where screening does not
matter. From 0.15 MeV it is within 1.5 % of ELSEPA up to iodine. What remains is taken from the tabulated elements,
interpolated in Z at the same E/Z^1.1; beyond the last one it is the last one's.
"""

import numpy as np
import xraylib
from scipy.special import loggamma

REST_ENERGY_MEV = 0.51099895069
FINE_STRUCTURE = 7.2973525643e-3
CLASSICAL_RADIUS_CM = 2.8179403205e-13
H_C_MEV_ANGSTROM = 0.01239841984
HBAR_C_MEV_CM = 197.3269804e-13
# Deviations from the model are alike at the same E/Z^SCALING.
SCALING = 1.1
# The model is sound where the correction leaves this part of the Born cross section, or more.
LEAST_PART = 0.45
WAVES = np.arange(4000.0)
TRANSFERS = np.geomspace(1e-3, 99, 3000)


def coulomb_phases(z, energy, kappa):
    """Phase shifts of the Dirac-Coulomb problem; z > 0 attracts (Salvat, Jablonski & Powell 2005)."""
    momentum = np.sqrt(energy * (energy + 2 * REST_ENERGY_MEV))
    zeta = -FINE_STRUCTURE * z
    eta = zeta * (energy + REST_ENERGY_MEV) / momentum
    lam = np.sqrt(kappa**2 - zeta**2)
    orbital = np.where(kappa < 0, -kappa - 1, kappa)
    nu = np.angle(zeta * (energy + 2 * REST_ENERGY_MEV) - 1j * (kappa + lam) * momentum)
    turn = np.where((zeta < 0) & (kappa < 0), np.pi, 0.0)
    return nu - (lam - orbital - 1) * np.pi / 2 + np.imag(loggamma(lam + 1j * eta)) - turn


def coulomb_terms(z, energy):
    """What each pair of partial waves adds to the first transport cross section, in 4 pi/k^2."""
    up = coulomb_phases(z, energy, -(WAVES + 1))
    down = coulomb_phases(z, energy, np.maximum(WAVES, 1))
    orbital = WAVES[:-1]
    both_up = (orbital + 1) * (orbital + 2) / (2 * orbital + 3) * np.sin(up[:-1] - up[1:]) ** 2
    both_down = orbital * (orbital + 1) / (2 * orbital + 1) * np.sin(down[:-1] - down[1:]) ** 2
    flip = (orbital + 1) / ((2 * orbital + 1) * (2 * orbital + 3)) * np.sin(up[:-1] - down[1:]) ** 2
    return both_up + both_down + flip


def beyond_born(z, energy):
    """First transport cross section [cm2] of a bare nucleus less that in Born's approximation; z > 0 attracts."""
    weak = 1e-3
    terms = coulomb_terms(z, energy) - coulomb_terms(weak, energy) * (z / weak) ** 2
    return 4 * np.pi * HBAR_C_MEV_CM**2 / (energy * (energy + 2 * REST_ENERGY_MEV)) * terms.sum()


def born(z, energy, form_factor):
    """First transport cross section [cm2] of the atom in Born's approximation; form factor on TRANSFERS."""
    momentum2 = energy * (energy + 2 * REST_ENERGY_MEV)
    beta2 = momentum2 / (energy + REST_ENERGY_MEV) ** 2
    ln_v = np.linspace(np.log(1e-10), np.log(2), 4000)
    v = np.exp(ln_v)  # 1 - cos
    x = np.sqrt(momentum2 * v / 2) / H_C_MEV_ANGSTROM
    seen = z - np.interp(np.log(x), np.log(TRANSFERS), form_factor)
    seen[x > TRANSFERS[-1]] = z
    # Where the table has no digits left, the charge seen grows as x^2.
    small = min(np.searchsorted(x, 0.05), len(x) - 1)
    seen[:small] = seen[small] * (x[:small] / x[small]) ** 2
    strength = (CLASSICAL_RADIUS_CM * REST_ENERGY_MEV) ** 2 / (momentum2 * beta2)
    return 2 * np.pi * strength * np.trapezoid(seen**2 * (1 - beta2 * v / 2), ln_v)


class AnchoredModel:
    """The model for one charge, anchored on tabulated elements: {Z: (energies [MeV], cross sections [cm2])}."""

    def __init__(self, tabulated, charge):
        self.tabulated, self.charge = tabulated, charge
        self.energy = next(iter(tabulated.values()))[0]
        self.residuals = {z: self.residual(z) for z in tabulated}

    def model(self, z):
        """Cross section at each energy, and whether the model is sound there."""
        form_factor = np.array([xraylib.FF_Rayl(z, float(x)) for x in TRANSFERS])
        first = np.array([born(z, e, form_factor) for e in self.energy])
        whole = first + np.array([beyond_born(-self.charge * z, e) for e in self.energy])
        return whole, whole > LEAST_PART * first

    def residual(self, z):
        whole, sound = self.model(z)
        return np.where(sound, self.tabulated[z][1] / whole, np.nan)

    def residual_at(self, known, z):
        """The residual of a tabulated element at the energies that correspond to those of another."""
        corresponding = self.energy * (known / z) ** SCALING
        return np.interp(np.log(corresponding), np.log(self.energy), self.residuals[known])

    def predict(self, z):
        """Energies, and cross sections there: not a number where the model is not sound."""
        below = max((k for k in self.residuals if k <= z), default=None)
        above = min((k for k in self.residuals if k >= z), default=None)
        low, high = (below or above), (above or below)
        part = 0.0 if low == high else (z - low) / (high - low)
        residual = (1 - part) * self.residual_at(low, z) + part * self.residual_at(high, z)
        whole, sound = self.model(z)
        return self.energy, np.where(sound, whole * residual, np.nan)

    def without(self, *left_out):
        """The model without some of its anchors."""
        other = object.__new__(AnchoredModel)
        other.charge, other.energy = self.charge, self.energy
        other.tabulated = {z: table for z, table in self.tabulated.items() if z not in left_out}
        other.residuals = {z: residual for z, residual in self.residuals.items() if z not in left_out}
        return other

    def extrapolation_errors(self, z, last):
        """Largest relative error for a tabulated element from 100, 30 and 10 keV if the anchors end earlier."""
        energy, found = self.without(*(k for k in self.tabulated if k > last)).predict(z)
        error = np.abs(found / self.tabulated[z][1] - 1)
        return [round(float(np.nanmax(error[energy >= least])), 4) for least in (0.1, 0.03, 0.01)]
