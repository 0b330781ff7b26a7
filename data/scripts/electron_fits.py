"""Fits the elastic screening and the bremsstrahlung spectrum of each element; writes data/electron/*.csv.

    python data/scripts/electron_fits.py ELSEPA.csv SELTZER_BERGER.csv

ELSEPA.csv: Z, E [eV], then total, first and second transport cross section [cm2] of electrons and of positrons
(Salvat, Jablonski & Powell, Comput. Phys. Commun. 165 (2005) 157). SELTZER_BERGER.csv: Z, symbol, T [MeV], then
beta^2/Z^2 k dsigma/dk [mb] at 30 values of k/T named in the header (Seltzer & Berger, At. Data Nucl. Data Tables 35
(1986) 345). Neither table is part of this project; only the coefficients fitted here are.
"""

import csv
import pathlib
import sys

import numpy as np
from elements import SUPPORTED
from numpy.polynomial import chebyshev
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

DATA = pathlib.Path(__file__).resolve().parent.parent / "electron"
REST_ENERGY_MEV = 0.51099895069
FINE_STRUCTURE = 7.2973525643e-3
CLASSICAL_RADIUS_CM = 2.8179403205e-13
MIN_ENERGY_MEV, MAX_ENERGY_MEV = 1e-3, 10.0
SCREENING_DEGREE = 8
BREMSSTRAHLUNG_DEGREES = (12, 7)


def scaled_log_energy(energy_mev):
    """ln E mapped to -1..1 over the range of energies."""
    return 2 * np.log(energy_mev / MIN_ENERGY_MEV) / np.log(MAX_ENERGY_MEV / MIN_ENERGY_MEV) - 1


def read_tables(path, first, count):
    """Rows by element: energy, then `count` columns from column `first`."""
    by_element = {}
    header = None
    for row in csv.reader(line for line in open(path) if not line.startswith("#")):
        if header is None:
            header = row
            continue
        by_element.setdefault(int(row[0]), []).append([float(v) for v in [row[first - 1], *row[first : first + count]]])
    return header, {z: np.array(rows) for z, rows in by_element.items()}


def moliere_screening(z, energy):
    """Moliere's screening parameter A, in 1/(1 - cos + 2A)^2."""
    momentum2 = energy * (energy + 2 * REST_ENERGY_MEV)
    beta2 = momentum2 / (energy + REST_ENERGY_MEV) ** 2
    atom = (FINE_STRUCTURE * REST_ENERGY_MEV * z ** (1 / 3) / 0.88534) ** 2
    return atom / (4 * momentum2) * (1.13 + 3.76 * (FINE_STRUCTURE * z) ** 2 / beta2)


def first_transport(z, energy, screening, charge):
    """First transport cross section [cm2] of Wentzel's form times McKinley and Feshbach's factor."""
    momentum2 = energy * (energy + 2 * REST_ENERGY_MEV)
    beta2 = momentum2 / (energy + REST_ENERGY_MEV) ** 2
    spin = -charge * np.pi * FINE_STRUCTURE * z * np.sqrt(beta2)
    a = screening
    i0 = np.arctan(1 / np.sqrt(a)) / np.sqrt(a)
    i1 = 0.5 * np.log1p(1 / a)
    i2 = 1 - a * i0
    i3 = 0.5 - a * i1
    j3 = i1 - 0.5 / (1 + a)
    j4 = i2 - a * (i0 - a * (i0 + 1 / (1 + a)) / (2 * a))
    j5 = i3 - a * j3
    strength = (z * CLASSICAL_RADIUS_CM * REST_ENERGY_MEV) ** 2 / (momentum2 * beta2)
    return 4 * np.pi * strength * (j3 + spin * j4 - (beta2 + spin) * j5)


def fit_screening(table, z, charge):
    """Chebyshev coefficients of ln(A/A_Moliere), and the largest relative error of the first transport cross
    section."""
    energy = table[:, 0] * 1e-6
    target = table[:, 2 if charge < 0 else 5]
    excess = lambda ln_a, e, t: first_transport(z, e, np.exp(ln_a), charge) / t - 1
    solved = [np.exp(brentq(excess, -30, 4, args=(e, t))) for e, t in zip(energy, target)]
    moliere = moliere_screening(z, energy)
    fit = chebyshev.chebfit(scaled_log_energy(energy), np.log(solved / moliere), SCREENING_DEGREE)
    return fit, error_of(fit, z, charge, energy, target)


def error_of(fit, z, charge, energy, target):
    """Largest relative error of the first transport cross section of a fit."""
    a = moliere_screening(z, energy) * np.exp(chebyshev.chebval(scaled_log_energy(energy), fit))
    return np.abs(first_transport(z, energy, a, charge) / target - 1).max()


def screening_rows(path):
    _, tables = read_tables(path, 2, 6)
    for charge in (-1, 1):
        fits = {z: fit_screening(table, z, charge) for z, table in tables.items()}
        known = np.array(sorted(fits))
        for z in SUPPORTED:
            if z in fits:
                fit, error = fits[z]
                yield (z, charge, "fit", f"{error:.4f}", *(f"{c:.6f}" for c in fit))
            else:
                fit = [np.interp(z, known, [fits[k][0][i] for k in known]) for i in range(SCREENING_DEGREE + 1)]
                yield (z, charge, "interpolated", "", *(f"{c:.6f}" for c in fit))
        for z in known[1:-1]:
            others = known[known != z]
            fit = [np.interp(z, others, [fits[k][0][i] for k in others]) for i in range(SCREENING_DEGREE + 1)]
            error = error_of(fit, z, charge, tables[z][:, 0] * 1e-6, tables[z][:, 2 if charge < 0 else 5])
            print(f"charge {charge:+d} Z {z}: {error:.3f} if interpolated from its neighbours")


def radiated(spectrum, kappa):
    """Integral of each spectrum over kappa, in sqrt(1 - kappa), in which it is smooth."""
    u = np.sqrt(1 - kappa)[::-1]
    return CubicSpline(u, (2 * np.sqrt(1 - kappa) * spectrum)[:, ::-1], axis=1).integrate(0, 1)


def bremsstrahlung_rows(path):
    header, tables = read_tables(path, 3, 30)
    kappa = np.array([float(name.split("=")[1]) for name in header[3:33]])
    n_energy, n_kappa = BREMSSTRAHLUNG_DEGREES
    y = chebyshev.chebvander(2 * np.sqrt(1 - kappa) - 1, n_kappa)
    for z in SUPPORTED:
        energy, spectrum = tables[z][:, 0], tables[z][:, 1:]
        x = chebyshev.chebvander(scaled_log_energy(energy), n_energy)
        basis = np.einsum("ij,kl->ikjl", x, y).reshape(spectrum.size, -1)
        fit, *_ = np.linalg.lstsq(basis, np.log(spectrum).ravel(), rcond=None)
        # Shift each spectrum, smoothly in the energy, so that what is radiated comes out right.
        fitted = np.exp(basis @ fit).reshape(spectrum.shape)
        shift = np.log(radiated(spectrum, kappa) / radiated(fitted, kappa))
        fit[:: n_kappa + 1] += np.linalg.lstsq(x, shift, rcond=None)[0]
        error = np.exp(basis @ fit).reshape(spectrum.shape) / spectrum - 1
        lost = np.abs(radiated(spectrum * (1 + error), kappa) / radiated(spectrum, kappa) - 1).max()
        print(f"Z {z}: spectrum rms {error.std():.4f}, max {np.abs(error).max():.3f}; radiated max {lost:.4f}")
        for degree, row in enumerate(fit.reshape(n_energy + 1, n_kappa + 1)):
            yield (z, degree, *(f"{c:.6f}" for c in row))


def write(name, header, rows):
    DATA.mkdir(exist_ok=True)
    with (DATA / name).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main(elsepa, seltzer_berger):
    coefficients = [f"c{i}" for i in range(SCREENING_DEGREE + 1)]
    write("elastic_screening.csv", ["z", "charge", "kind", "max_error", *coefficients], screening_rows(elsepa))
    coefficients = [f"c{i}" for i in range(BREMSSTRAHLUNG_DEGREES[1] + 1)]
    write("bremsstrahlung_fit.csv", ["z", "energy_degree", *coefficients], bremsstrahlung_rows(seltzer_berger))


if __name__ == "__main__":
    main(*sys.argv[1:])
