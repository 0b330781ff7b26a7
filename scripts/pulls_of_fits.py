"""Fits of noisy time-activity curves by `dosegrid integrate`, against lmfit and against the truth.

    python scripts/pulls_of_fits.py [DOSEGRID] [SERIES]          needs numpy, scipy, lmfit

For each organ, SERIES (1000) series are drawn from a known curve with a known relative noise, and integrated by
`dosegrid integrate --weighting sigma` with the model that made them. A pull is (integral - truth) / sigma. Where sigma
is right, pulls have a spread of 1. lmfit (Levenberg-Marquardt) and scipy (trust region) fit the same points with the same
weights; their sigma of the integral is propagated from their covariance.
"""
import csv
import json
import os
import subprocess
import sys
import tempfile

import lmfit
import numpy as np
import scipy.optimize

PHYSICAL_HALF_LIFE_H = 159.528
# Name, model, parameters (amplitudes MBq, half-lives h), times h, relative noise.
ORGANS = [
    ("kidney", "mono", (110.0,), (51.0,), (4, 24, 48, 96, 168), 0.05),
    ("tumour", "bi_uptake", (60.0,), (77.0, 4.0), (2, 4, 24, 48, 96, 168), 0.05),
    ("marrow", "bi_washout", (9.0, 20.0), (60.0, 4.0), (1, 3, 6, 24, 48, 96, 168), 0.05),
    ("thyroid", "bi_uptake", (40.0,), (140.0, 5.0), (2, 6, 24, 48, 96, 168), 0.05),
]


def activity(model, amplitudes, half_lives, t):
    rates = np.log(2) / np.asarray(half_lives)
    if model == "mono":
        return amplitudes[0] * np.exp(-rates[0] * t)
    if model == "bi_uptake":
        return amplitudes[0] * (np.exp(-rates[0] * t) - np.exp(-rates[1] * t))
    return amplitudes[0] * np.exp(-rates[0] * t) + amplitudes[1] * np.exp(-rates[1] * t)


def integral(model, amplitudes, half_lives):
    times = np.asarray(half_lives) / np.log(2)
    if model == "bi_uptake":
        return amplitudes[0] * (times[0] - times[1])
    return float(np.dot(amplitudes, times[: len(amplitudes)]))


def propagated(model, count, best, covariance):
    """The integral of parameters in logarithms, and its sigma."""
    split = lambda p: (np.exp(p[:count]), np.exp(p[count:]))
    slope = np.array([(integral(model, *split(best + d)) - integral(model, *split(best - d))) / 2e-5
                      for d in 1e-5 * np.eye(len(best))])
    return integral(model, *split(best)), float(np.sqrt(slope @ covariance @ slope))


def by_scipy(model, amplitudes, half_lives, t, values, sigma):
    """The integral and its sigma, by a trust region from the true values."""
    count = len(amplitudes)
    start = np.log(list(amplitudes) + list(half_lives))
    curve = lambda t, *p: activity(model, np.exp(p[:count]), np.exp(p[count:]), t)
    try:
        best, covariance = scipy.optimize.curve_fit(
            curve, t, values, start, sigma, absolute_sigma=True, method="trf", xtol=1e-13, ftol=1e-13, gtol=1e-13)
    except RuntimeError:
        return None
    return propagated(model, count, best, covariance)


def by_lmfit(model, amplitudes, half_lives, t, values, sigma):
    """The integral and its sigma, by a fit in the logarithms of the parameters from the true values."""
    parameters = lmfit.Parameters()
    start = np.log(list(amplitudes) + list(half_lives))
    for number, value in enumerate(start):
        parameters.add(f"p{number}", value=value)
    split = lambda p: (np.exp(p[: len(amplitudes)]), np.exp(p[len(amplitudes):]))
    residual = lambda p: (activity(model, *split(np.array([p[k].value for k in p])), t) - values) / sigma
    found = lmfit.minimize(residual, parameters, method="leastsq", scale_covar=False)
    if not found.success or found.covar is None:
        return None
    best = np.array([found.params[k].value for k in found.params])
    return propagated(model, len(amplitudes), best, found.covar)


def main(dosegrid, count):
    print("| organ, model | series | mean of pulls | spread of pulls | integral against lmfit, median | worst of 95 % "
          "| sigma, median | against scipy | worst of 95 % | sigma |\n|---|---|---|---|---|---|---|---|---|---|")
    for name, model, amplitudes, half_lives, times, noise in ORGANS:
        rng = np.random.default_rng(177)
        t = np.asarray(times, float)
        truth = activity(model, amplitudes, half_lives, t)
        sigma = noise * truth
        all_values = truth + sigma * rng.standard_normal((count, len(t)))
        with tempfile.TemporaryDirectory() as folder:
            table = os.path.join(folder, "curves.csv")
            with open(table, "w", newline="") as file:
                rows = csv.writer(file)
                rows.writerow(["region", "time", "activity", "sigma"])
                for number, values in enumerate(all_values):
                    rows.writerows([f"s{number}", *row] for row in zip(t, values, sigma))
            command = [dosegrid, "integrate", "--table", table, "--nuclide", "Lu-177", "--json", "--model", "auto"]
            answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        pulls, others = [], {by_lmfit: [], by_scipy: []}
        for number, values in enumerate(all_values):
            found = answer["regions"][f"s{number}"]
            # The choice of a model, and rates held at physical decay, are no part of sigma.
            is_held = "rate_at_physical_limit" in found["flags"]
            if found["model"] != model or is_held or not found["tia_sigma_mbq_h"]:
                continue
            pulls.append((found["tia_mbq_h"] - integral(model, amplitudes, half_lives)) / found["tia_sigma_mbq_h"])
            for fit, against in others.items():
                other = fit(model, amplitudes, half_lives, t, values, sigma)
                if other:
                    against.append((abs(found["tia_mbq_h"] / other[0] - 1), found["tia_sigma_mbq_h"] / other[1] - 1))
        pulls = np.array(pulls)
        words = [f"{len(pulls)} of {count}", f"{pulls.mean():+.3f}", f"{pulls.std(ddof=1):.3f}"]
        for against in others.values():
            integrals, sigmas = np.array(against).T
            words += [f"{np.median(integrals):.1e}", f"{np.quantile(integrals, 0.95):.1e}", f"{np.median(sigmas):+.1e}"]
        print(f"| {name}, `{model}` | " + " | ".join(words) + " |")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "dosegrid", int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
