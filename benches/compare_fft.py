#!/usr/bin/env python3
"""The convolution of dosegrid beside those of scipy, pyFFTW and PyTorch: same work, same machine, one run.

    pip install numpy scipy pyfftw torch      (what is absent is left out, and said so)
    python3 benches/compare_fft.py [--threads 2] [--repeat 7]

Each library gets its best case: single precision, the kernel's spectrum computed before, lengths of its choice at least N + K/2, the transform
planned and measured before. The figure is the best wall time of all repeats; `cpu` is the processor time of that repeat, which other load on the
machine disturbs less. dosegrid is timed by its own bench, `cargo bench --bench convolution`, of which the least mean of a sample is taken.
"""

import argparse
import json
import os
import pathlib
import subprocess
import time

SIZES = [(128, 33), (256, 63)]
ROOT = pathlib.Path(__file__).resolve().parent.parent


def best(function, repeat):
    """Best wall time of `function`, and the processor time of that run [s]."""
    function()
    times = []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        function()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(times)


def scipy_fft(volume, kernel, threads):
    import scipy.fft

    n, k = volume.shape[0], kernel.shape[0]
    length = scipy.fft.next_fast_len(n + k // 2, real=True)
    shape = (length,) * 3
    spectrum = scipy.fft.rfftn(kernel, shape, workers=threads)
    kept = (slice(k // 2, k // 2 + n),) * 3

    def run():
        product = scipy.fft.rfftn(volume, shape, workers=threads)
        product *= spectrum
        return scipy.fft.irfftn(product, shape, workers=threads, overwrite_x=True)[kept]

    return run


def scipy_fftconvolve(volume, kernel, threads):
    import scipy.fft
    import scipy.signal

    def run():
        with scipy.fft.set_workers(threads):
            return scipy.signal.fftconvolve(volume, kernel, mode="same")

    return run


def pyfftw_measured(volume, kernel, threads):
    import numpy
    import pyfftw

    n, k = volume.shape[0], kernel.shape[0]
    length = pyfftw.next_fast_len(n + k // 2)
    shape = (length,) * 3
    real = pyfftw.empty_aligned(shape, "float32")
    half = pyfftw.empty_aligned((length, length, length // 2 + 1), "complex64")
    options = {"axes": (0, 1, 2), "threads": threads, "flags": ("FFTW_MEASURE",)}
    forward = pyfftw.FFTW(real, half, **options)
    inverse = pyfftw.FFTW(half, real, direction="FFTW_BACKWARD", **options)
    real[:] = 0
    real[:k, :k, :k] = kernel
    spectrum = forward().copy() / numpy.float32(length**3)
    kept = (slice(k // 2, k // 2 + n),) * 3

    def run():
        real[:] = 0
        real[:n, :n, :n] = volume
        forward.execute()
        numpy.multiply(half, spectrum, out=half)
        inverse.execute()
        return real[kept].copy()

    return run


def pytorch(volume, kernel, threads):
    import scipy.fft
    import torch

    torch.set_num_threads(threads)
    n, k = volume.shape[0], kernel.shape[0]
    shape = (scipy.fft.next_fast_len(n + k // 2, real=True),) * 3
    source = torch.from_numpy(volume)
    spectrum = torch.fft.rfftn(torch.from_numpy(kernel), shape)
    kept = (slice(k // 2, k // 2 + n),) * 3

    def run():
        product = torch.fft.rfftn(source, shape)
        product *= spectrum
        return torch.fft.irfftn(product, shape)[kept]

    return run


def dosegrid(edge, kernel_edge, threads):
    """Least mean time of a sample of our bench [s]."""
    name = f"{edge}^3*{kernel_edge}^3"
    command = ["cargo", "bench", "--bench", "convolution", "--", f"cpu/{edge}"]
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    folder = target / "criterion" / "convolution" / "cpu" / name.translate(str.maketrans("*^", "__"))
    sample = json.loads((folder / "new" / "sample.json").read_text())
    return min(t / n for t, n in zip(sample["times"], sample["iters"])) * 1e-9


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    arguments.add_argument("--repeat", type=int, default=7)
    arguments = arguments.parse_args()
    import numpy

    random = numpy.random.default_rng(1)
    libraries = [scipy_fft, scipy_fftconvolve, pyfftw_measured, pytorch]
    for edge, kernel_edge in SIZES:
        volume = random.random((edge,) * 3, dtype=numpy.float32)
        kernel = random.random((kernel_edge,) * 3, dtype=numpy.float32)
        print(f"{edge}^3 * {kernel_edge}^3, {arguments.threads} threads")
        walls = []
        for library in libraries:
            try:
                wall, cpu = best(library(volume, kernel, arguments.threads), arguments.repeat)
            except ImportError as absent:
                print(f"  {library.__name__:18} absent ({absent.name})")
                continue
            walls.append(wall)
            print(f"  {library.__name__:18} {wall:.4f} s   cpu {cpu:.4f} s")
        ours = dosegrid(edge, kernel_edge, arguments.threads)
        print(f"  {'dosegrid':18} {ours:.4f} s   best of the others is {min(walls) / ours:.2f} times that")


if __name__ == "__main__":
    main()
