"""Mean energy of a beta continuum of allowed shape, for branches whose evaluation gives none."""

import numpy as np
from scipy.special import loggamma

ELECTRON_REST_KEV = 510.99895
FINE_STRUCTURE = 1 / 137.035999
COMPTON_WAVELENGTH_FM = 386.15927
POINTS = 4000


def allowed_mean(z, a, endpoint, kind):
    """Mean kinetic energy [keV], daughter `z`: statistical shape times the Fermi function at the nuclear radius (Fermi,
    Z. Phys. 88 (1934) 161)."""
    kinetic = (np.arange(POINTS) + 0.5) * endpoint / POINTS
    energy = 1.0 + kinetic / ELECTRON_REST_KEV
    momentum = np.sqrt(energy**2 - 1.0)
    gamma = np.sqrt(1.0 - (FINE_STRUCTURE * z) ** 2)
    coulomb = (1 if kind == "beta-" else -1) * FINE_STRUCTURE * z * energy / momentum
    radius = 1.2 * a ** (1 / 3) / COMPTON_WAVELENGTH_FM
    fermi = np.exp(np.pi * coulomb + 2 * loggamma(gamma + 1j * coulomb).real) * (2 * momentum * radius) ** (
        2 * gamma - 2
    )
    shape = fermi * momentum * energy * (endpoint - kinetic) ** 2
    return float((shape * kinetic).sum() / shape.sum())
