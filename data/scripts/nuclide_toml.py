"""The text of data/nuclides/NAME.toml: fixed order, fixed number of digits, so that making it again gives the same
bytes."""

LINES = ("gamma", "x_ray", "conversion", "auger", "alpha")
# Lines weaker than this are dropped, the weakest first, as long as those dropped hold less than this part of the energy
# of their kind.
WEAKEST = 1e-7
PAIRS_A_ROW = 5
DROPPED_ENERGY = 1e-5


def number(value, digits=6):
    """Shortest decimal text of so many significant digits, always with a point or an exponent (a TOML float)."""
    text = f"{value:.{digits}g}"
    return text if any(mark in text for mark in ".e") else text + ".0"


def text(value):
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def kept(lines):
    """Sorted lines [(MeV, intensity)], equal energies summed, the feeblest dropped."""
    merged = {}
    for energy, intensity in lines:
        key = number(energy, 7)
        merged[key] = merged.get(key, 0.0) + intensity
    rows = sorted((float(energy), intensity) for energy, intensity in merged.items() if intensity > 0)
    allowed = DROPPED_ENERGY * sum(energy * intensity for energy, intensity in rows)
    for row in sorted(rows, key=lambda row: row[1]):
        allowed -= row[0] * row[1]
        if row[1] >= WEAKEST or allowed < 0:
            break
        rows.remove(row)
    return rows


def table(name, row):
    yield f"\n[[{name}]]"
    for key, value in row.items():
        if value is not None:
            digits = 7 if key in ("endpoint_mev", "q_mev", "level_mev", "daughter_half_life_s") else 6
            rendered = (
                text(value)
                if isinstance(value, str)
                else str(value) if isinstance(value, int) else number(value, digits)
            )
            yield f"{key} = {rendered}"


def render(nuclide):
    yield f"name = {text(nuclide['name'])}"
    yield f"half_life_s = {number(nuclide['half_life_s'], 9)}"
    if nuclide["half_life_uncertainty_s"]:
        yield f"half_life_uncertainty_s = {number(nuclide['half_life_uncertainty_s'], 3)}"
    yield f"source = {text(nuclide['source'])}"
    sentences = nuclide["corrections"]
    yield "corrections = [" + "".join(f"\n    {text(sentence)}," for sentence in sentences) + (
        "\n]" if sentences else "]"
    )
    yield f"relaxation_mev = {number(nuclide['relaxation_mev'])}"
    for name in ("decay", "beta", "capture"):
        for row in nuclide[name]:
            yield from table(name, row)
    yield "\n[lines]"
    for name in LINES:
        pairs = [
            f"[{number(energy, 7)}, {number(intensity, 5)}]," for energy, intensity in kept(nuclide["lines"][name])
        ]
        rows = [" ".join(pairs[start : start + PAIRS_A_ROW]) for start in range(0, len(pairs), PAIRS_A_ROW)]
        yield f"{name} = [" + "".join(f"\n    {row}" for row in rows) + ("\n]" if rows else "]")
