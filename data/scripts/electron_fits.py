"""Fits the elastic screening and the bremsstrahlung spectrum of each element; writes data/electron/*.csv.

    python data/scripts/electron_fits.py ELSEPA.csv SELTZER_BERGER.csv

ELSEPA.csv: Z, E [eV], then total, first and second transport cross section [cm2] of electrons and of positrons
(Salvat, Jablonski & Powell, Comput. Phys. Commun. 165 (2005) 157). SELTZER_BERGER.csv: Z, symbol, T [MeV], then
beta^2/Z^2 k dsigma/dk [mb] at 30 values of k/T named in the header (Seltzer & Berger, At. Data Nucl. Data Tables 35
(1986) 345). Neither table is part of this project; only the coefficients fitted here are. Both need not hold every
element: what they lack follows from those they have, as elastic_model.py and interpolated_spectrum() say.
"""

import csv
import pathlib
import sys

import numpy as np
import star.electron
from elastic_model import SCALING, AnchoredModel
from elements import SUPPORTED
from numpy.polynomial import chebyshev
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

DATA = pathlib.Path(__file__).resolve().parent.parent / "electron"
REST_ENERGY_MEV = 0.51099895069
FINE_STRUCTURE = 7.2973525643e-3
CLASSICAL_RADIUS_CM = 2.8179403205e-13
AVOGADRO_PER_MOL = 6.02214076e23
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


def solve_screening(z, energy, target, charge):
    """The screening with which the first transport cross section is the target, at each energy."""
    excess = lambda ln_a, e, t: first_transport(z, e, np.exp(ln_a), charge) / t - 1
    return np.array([np.exp(brentq(excess, -30, 4, args=(e, t))) for e, t in zip(energy, target)])


def fit_screening(energy, target, z, charge):
    """Chebyshev coefficients of ln(A/A_Moliere), and the largest relative error of the first transport cross
    section."""
    factor = np.log(solve_screening(z, energy, target, charge) / moliere_screening(z, energy))
    fit = chebyshev.chebfit(scaled_log_energy(energy), factor, SCREENING_DEGREE)
    return fit, np.abs(relative_error(fit, z, charge, energy, target)).max()


def relative_error(fit, z, charge, energy, target):
    """Relative error of the first transport cross section of a fit, at each energy."""
    a = moliere_screening(z, energy) * np.exp(chebyshev.chebval(scaled_log_energy(energy), fit))
    return first_transport(z, energy, a, charge) / target - 1


def screening_rows(path):
    """One row for each element and charge: fitted to the table, or to the model of elastic_model.py anchored on it."""
    _, tables = read_tables(path, 2, 6)
    tables = {z: np.column_stack((rows[:, 0] * 1e-6, rows[:, 2], rows[:, 5])) for z, rows in tables.items()}
    for charge in (-1, 1):
        tabulated = {z: (rows[:, 0], rows[:, 1 if charge < 0 else 2]) for z, rows in tables.items()}
        model = AnchoredModel(tabulated, charge)
        for z in SUPPORTED:
            if z in tables:
                fit, error = fit_screening(*tabulated[z], z, charge)
                yield (z, charge, "fit", f"{error:.4f}", *(f"{c:.6f}" for c in fit))
            else:
                fit = modelled_screening(model, tabulated, z, charge)
                yield (z, charge, "model", "", *(f"{c:.6f}" for c in fit))
        for z in sorted(tables)[1:]:
            fit = modelled_screening(model.without(z), {k: v for k, v in tabulated.items() if k != z}, z, charge)
            energy, target = tabulated[z]
            error = np.abs(relative_error(fit, z, charge, energy, target))
            worst = [error[energy >= least].max() for least in (0.1, 0.03, 0.01, 0.001)]
            print(f"charge {charge:+d} Z {z}, from the other elements, from 100, 30, 10, 1 keV:", np.round(worst, 4))
        print(f"charge {charge:+d} Z 53 from iron and lighter:", model.extrapolation_errors(53, 26))


def modelled_screening(model, tabulated, z, charge):
    """Coefficients for an element without a table: of the model where it is sound; below, the factor of the nearest
    tabulated element at the same E/Z^1.1, shifted to join."""
    energy, target = model.predict(z)
    neighbour = min(tabulated, key=lambda k: abs(np.log(k / z)))
    theirs, _ = fit_screening(*tabulated[neighbour], neighbour, charge)
    x = scaled_log_energy(np.clip(energy * (neighbour / z) ** SCALING, MIN_ENERGY_MEV, MAX_ENERGY_MEV))
    factor = chebyshev.chebval(x, theirs)
    sound = np.isfinite(target)
    ours = np.log(solve_screening(z, energy[sound], target[sound], charge) / moliere_screening(z, energy[sound]))
    factor += ours[0] - factor[sound][0]
    factor[sound] = ours
    return chebyshev.chebfit(scaled_log_energy(energy), factor, SCREENING_DEGREE)


def radiated(spectrum, kappa):
    """Integral of each spectrum over kappa, in sqrt(1 - kappa), in which it is smooth."""
    u = np.sqrt(1 - kappa)[::-1]
    return CubicSpline(u, (2 * np.sqrt(1 - kappa) * spectrum)[:, ::-1], axis=1).integrate(0, 1)


def estar_radiative(z, energy):
    """Radiative stopping power of an element [MeV cm2/g], NIST ESTAR."""
    _, _, losses = star.electron.load_radiation_loss(np.array([z]))
    curve = CubicSpline(np.log(star.electron.DATA_ER), np.log(losses["stopping_power_radiative"][0]))
    return np.exp(curve(np.log(energy)))


def stopping_power(z, energy, spectrum, kappa):
    """Radiative stopping power of a spectrum beta^2/Z^2 k dsigma/dk [mb]."""
    beta2 = energy * (energy + 2 * REST_ENERGY_MEV) / (energy + REST_ENERGY_MEV) ** 2
    atoms_per_g = AVOGADRO_PER_MOL / star.electron.DATA_ATB[z - 1]
    return radiated(spectrum, kappa) * energy * z**2 / beta2 * 1e-27 * atoms_per_g


def interpolated_spectrum(tables, z, kappa):
    """Energies, and the spectrum of an element without a table: the logarithm is linear in ln Z between its neighbours,
    and beyond the last element; it is scaled to radiate what ESTAR says."""
    known = np.array(sorted(tables))
    above = min(max(np.searchsorted(known, z), 1), len(known) - 1)
    low, high = known[above - 1], known[above]
    part = np.log(z / low) / np.log(high / low)
    energy = tables[low][:, 0]
    spectrum = np.exp((1 - part) * np.log(tables[low][:, 1:]) + part * np.log(tables[high][:, 1:]))
    scale = estar_radiative(z, energy) / stopping_power(z, energy, spectrum, kappa)
    return energy, spectrum * scale[:, None]


def spectrum_error(tables, z, kappa, left_out):
    """Root mean square and largest relative error of the spectrum of a tabulated element if some are left out."""
    energy, found = interpolated_spectrum({k: v for k, v in tables.items() if k not in left_out}, z, kappa)
    error = found / tables[z][:, 1:] - 1
    return f"rms {error.std():.4f}, max {np.abs(error).max():.3f}"


def bremsstrahlung_rows(path):
    header, tables = read_tables(path, 3, 30)
    kappa = np.array([float(name.split("=")[1]) for name in header[3:33]])
    n_energy, n_kappa = BREMSSTRAHLUNG_DEGREES
    y = chebyshev.chebvander(2 * np.sqrt(1 - kappa) - 1, n_kappa)
    for z in sorted(tables)[1:-1]:
        print(f"Z {z} from its neighbours: spectrum {spectrum_error(tables, z, kappa, [z])}")
    beyond_zinc = [z for z in tables if z > 30]
    print(f"Z 53 from zinc and lighter: spectrum {spectrum_error(tables, 53, kappa, beyond_zinc)}")
    for z in SUPPORTED:
        if z in tables:
            energy, spectrum = tables[z][:, 0], tables[z][:, 1:]
        else:
            energy, spectrum = interpolated_spectrum(tables, z, kappa)
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
