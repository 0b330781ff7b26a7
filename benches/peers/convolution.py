#!/usr/bin/env python3
"""The convolution of dosegrid beside those of scipy, pyFFTW and PyTorch: same work, same machine, one run.

    pip install numpy scipy pyfftw torch      (what is absent is left out, and said so)
    python3 benches/peers/convolution.py [--threads 2] [--repeat 7] [--sizes 128,33 256,63]

Each library gets its best case: single precision, the kernel's spectrum computed before, lengths of its choice at least
N + K/2, the transform planned and measured before; PyTorch on CUDA has its data on the device. Each is run in turn,
dosegrid last, in every one of --rounds rounds. The figure is the best wall time; `cpu` is the least processor time,
which other load on the machine disturbs less. dosegrid is timed by its own bench, of which the least mean of a sample is
taken.
"""

import argparse
import json
import os
import pathlib
import subprocess
import time

SIZES = ["128,33", "256,63"]
ROOT = pathlib.Path(__file__).resolve().parents[2]


def best(function, repeat):
    """Least wall and least processor time of `function` [s]."""
    function()
    times = []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        function()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return [min(column) for column in zip(*times)]


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


def pytorch_cuda(volume, kernel, threads):
    import scipy.fft
    import torch

    if not torch.cuda.is_available():
        raise ImportError("no CUDA device", name="a CUDA device")
    n, k = volume.shape[0], kernel.shape[0]
    shape = (scipy.fft.next_fast_len(n + k // 2, real=True),) * 3
    source = torch.from_numpy(volume).cuda()
    spectrum = torch.fft.rfftn(torch.from_numpy(kernel).cuda(), shape)
    kept = (slice(k // 2, k // 2 + n),) * 3

    def run():
        product = torch.fft.rfftn(source, shape)
        product *= spectrum
        result = torch.fft.irfftn(product, shape)[kept].contiguous()
        torch.cuda.synchronize()
        return result

    return run


def dosegrid(edge, kernel_edge, threads):
    """Least mean wall time of a sample of our bench [s]."""
    name = f"{edge}^3*{kernel_edge}^3"
    command = ["cargo", "bench", "--locked", "--bench", "convolution", "--", f"cpu/{edge}"]
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    folder = target / "criterion" / "convolution" / "cpu" / name.translate(str.maketrans("*^", "__"))
    sample = json.loads((folder / "new" / "sample.json").read_text())
    return min(t / n for t, n in zip(sample["times"], sample["iters"])) * 1e-9


def compare(edge, kernel_edge, arguments):
    """Prints one size: least times over all rounds, and their ratios to ours."""
    import numpy

    random = numpy.random.default_rng(1)
    volume = random.random((edge,) * 3, dtype=numpy.float32)
    kernel = random.random((kernel_edge,) * 3, dtype=numpy.float32)
    peers = {}
    for library in [scipy_fft, scipy_fftconvolve, pyfftw_measured, pytorch, pytorch_cuda]:
        try:
            peers[library.__name__] = library(volume, kernel, arguments.threads)
        except ImportError as absent:
            print(f"  {library.__name__:18} absent ({absent.name})")
    found, ours = {name: [] for name in peers}, []
    for _ in range(arguments.rounds):
        for name, function in peers.items():
            found[name].append(best(function, arguments.repeat))
        ours.append(dosegrid(edge, kernel_edge, arguments.threads))
    print(f"  {'dosegrid':18} {min(ours):.4f} s")
    for name, times in found.items():
        wall, cpu = (min(column) for column in zip(*times))
        print(f"  {name:18} {wall:.4f} s   cpu {cpu:.4f} s   dosegrid takes {min(ours) / wall:.2f} of the time")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeat", type=int, default=7, help="runs of each library in a round")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="N,K", help="edges of volume and kernel")
    arguments = parser.parse_args()
    for size in arguments.sizes:
        edge, kernel_edge = (int(number) for number in size.split(","))
        load = os.getloadavg()[0]
        print(f"{edge}^3 * {kernel_edge}^3, {arguments.threads} threads, load {load:.1f}")
        compare(edge, kernel_edge, arguments)


if __name__ == "__main__":
    main()
