#!/usr/bin/env python3
"""How time and memory of a dose grow: with voxels, active voxels, histories, threads, and jobs at once on one server.

    python3 benches/growth.py [--binary target/release/dosegrid] [--quick] [--json FILE] [--plot FILE.svg]

Each series changes one number of a small case and fits `fixed + slope x number` to what was measured, by least squares
of relative errors. The figures are processor time, which other load disturbs less than wall time, and peak memory; for
threads and for jobs at once, the wall time and, of these, the server's memory. Of --repeat runs the least counts. The
worst relative error of each fit is printed: a large one means that the growth is not linear. --plot needs matplotlib.
For Linux and macOS.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from memory import run, volumes, write_nifti

MM = 4.0
JOBS = "jobs at once"


def fitted(numbers, values):
    """Fixed part and slope with the least sum of squared relative errors, and the worst relative error."""
    weights = [1.0 / value**2 for value in values]
    total = sum(weights)
    x = sum(w * number for w, number in zip(weights, numbers)) / total
    y = sum(w * value for w, value in zip(weights, values)) / total
    spread = sum(w * (number - x) ** 2 for w, number in zip(weights, numbers))
    slope = sum(w * (number - x) * (value - y) for w, number, value in zip(weights, numbers, values)) / spread
    fixed = y - slope * x
    worst = max(abs(fixed + slope * number - value) / value for number, value in zip(numbers, values))
    return fixed, slope, worst


class Case:
    """Phantoms in a folder, and the runs on them."""

    def __init__(self, binary, folder, repeat):
        self.binary, self.folder, self.repeat = binary, folder, repeat

    def files(self, kind, edge):
        """Density and decays of a phantom."""
        paths = [f"{self.folder}/{kind}{edge}_{name}.nii" for name in ("density", "decays")]
        if not os.path.isfile(paths[-1]):
            for path, (code, rows) in zip(paths, volumes(kind, edge)):
                write_nifti(path, rows, edge, MM, code)
        return paths

    def command(self, kind, edge, method, histories=None):
        """What computes a phantom, without a device and an output."""
        density, decays = self.files(kind, edge)
        command = [self.binary, "compute", "--activity", decays, "--activity-unit", "bq-s", "--density", density]
        command += ["--nuclide", "Lu-177", "--quiet", "--method", method]
        return command + (["--histories", str(histories)] if histories else [])

    def measure(self, kind, edge, method, histories=None, threads=1):
        """The least processor time [s], wall time [s] and peak memory [bytes]."""
        command = self.command(kind, edge, method, histories) + ["--device", "cpu"]
        os.environ["RAYON_NUM_THREADS"] = str(threads)
        found = []
        for _ in range(self.repeat):
            start = time.perf_counter()
            _, peak, seconds = run(command + ["--output", f"{self.folder}/dose.nii"])
            found.append((seconds, time.perf_counter() - start, peak))
        return [min(column) for column in zip(*found)]

    def at_once(self, edge, method, histories, numbers):
        """Of a server on two threads: for each number of callers at once, its processor time [s], the wall time until
        the last has its dose [s], and the server's peak memory [bytes]."""
        os.environ["RAYON_NUM_THREADS"] = str(min(2, os.cpu_count() or 1))
        rows = []
        for number in numbers:
            ready = f"{self.folder}/ready_{method}{number}"
            command = [self.binary, "serve", "--listen", "127.0.0.1:0", "--device", "cpu", "--ready-file", ready]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            server = subprocess.Popen(command, **quiet)
            while not os.path.isfile(ready):
                if server.poll() is not None:
                    sys.exit("the server did not begin")
                time.sleep(0.01)
            with open(ready) as file:
                address = "http://" + json.load(file)["address"]
            # The first request fills the caches.
            call = self.command("patient", edge, method, histories) + ["--server", address]
            subprocess.run(call + ["--output", f"{self.folder}/dose.nii"], check=True, **quiet)
            walls = []
            for _ in range(self.repeat):
                start = time.perf_counter()
                outputs = [["--output", f"{self.folder}/dose{caller}.nii"] for caller in range(number)]
                callers = [subprocess.Popen(call + output, **quiet) for output in outputs]
                if any(caller.wait() for caller in callers):
                    sys.exit("a call failed")
                walls.append(time.perf_counter() - start)
            server.send_signal(signal.SIGTERM)
            _, _, usage = os.wait4(server.pid, 0)
            server.returncode = 0
            unit = 1 if sys.platform == "darwin" else 1024
            rows.append([usage.ru_utime + usage.ru_stime, min(walls), usage.ru_maxrss * unit])
        return rows


def series(case, quick):
    """Name, what changes, its numbers, and for each the processor time, wall time and peak memory."""
    edges = [24, 32, 40, 48] if quick else [32, 48, 64, 96, 128]
    histories = [50_000, 100_000, 200_000] if quick else [100_000, 300_000, 1_000_000, 3_000_000]
    few = histories[0]
    for method in ("local", "kernel"):
        yield method, "voxels", [e**3 for e in edges], [case.measure("patient", e, method) for e in edges]
    for kind, what in (("patient", "voxels"), ("box", "active voxels")):
        rows = [case.measure(kind, e, "monte-carlo", few) for e in edges]
        yield f"monte-carlo, {few} histories", what, [e**3 for e in edges], rows
    rows = [case.measure("patient", edges[1], "monte-carlo", n) for n in histories]
    yield f"monte-carlo, {edges[1]}³ voxels", "histories", histories, rows
    threads = sorted({1, 2, 4, os.cpu_count() or 1} & set(range(1, (os.cpu_count() or 1) + 1)))
    rows = [case.measure("patient", edges[1], "monte-carlo", histories[-1], n) for n in threads]
    yield f"monte-carlo, {histories[-1]} histories", "threads", threads, rows
    edge, numbers = edges[1], [1, 2, 4, 8]
    for method, count in (("kernel", None), ("monte-carlo", few)):
        yield f"{method}, {edge}³ voxels, one server", JOBS, numbers, case.at_once(edge, method, count, numbers)


def plot(results, path):
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(results), 2, figsize=(9, 3 * len(results)), squeeze=False)
    for (time_axis, memory_axis), result in zip(axes, results):
        for axis, key, label in ((time_axis, "seconds", "s"), (memory_axis, "bytes", "bytes")):
            axis.loglog(result["numbers"], result[key], "o")
            if result[f"{key}_fit"]:
                fixed, slope, _ = result[f"{key}_fit"]
                axis.loglog(result["numbers"], [fixed + slope * n for n in result["numbers"]], "-")
            axis.set(xlabel=result["what"], ylabel=label, title=result["name"])
    figure.tight_layout()
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/dosegrid")
    parser.add_argument("--quick", action="store_true", help="small cases, for a look")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", help="write what was measured and the fits to this file")
    parser.add_argument("--plot", help="draw them to this file")
    args = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        # The program starts itself anew without this variable.
        os.environ["XDG_RUNTIME_DIR"] = "/nonexistent"
        for name, what, numbers, rows in series(Case(args.binary, folder, args.repeat), args.quick):
            seconds = [wall if what in ("threads", JOBS) else processor for processor, wall, _ in rows]
            peaks = [peak for _, _, peak in rows]
            is_linear = what != "threads"
            fits = [fitted(numbers, values) if is_linear else None for values in (seconds, peaks)]
            results.append(
                {"name": name, "what": what, "numbers": numbers, "seconds": seconds, "bytes": peaks}
                | {"seconds_fit": fits[0], "bytes_fit": fits[1]}
            )
            print(f"{name}, by {what}")
            for number, time_s, peak in zip(numbers, seconds, peaks):
                print(f"  {number:>10} {time_s:9.3f} s {peak / 1e6:9.1f} MB")
            for fit, unit in zip(fits, ("s", "bytes")):
                if fit:
                    print(f"  {fit[0]:.3g} {unit} + {fit[1]:.3g} {unit} each; worst error {fit[2]:.0%}")
            sys.stdout.flush()
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"schema": "dosegrid.growth", "version": 1, "series": results}, file, indent=2)
    if args.plot:
        plot(results, args.plot)


if __name__ == "__main__":
    main()
