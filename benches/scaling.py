#!/usr/bin/env python3
"""What a gateway with workers would do: waits, store and broker for 1 to 1,000 workers and 1e3 to 1e6 jobs a day.

A simulation by events, with costs that were measured (COSTS) and a mix of jobs that is an assumption (MIX). It knows the
two lanes of each worker, volumes that workers hold, and the rates of store and broker; it knows no failures. Only the
standard library is needed: python3 benches/scaling.py [--jobs-simulated 20000] [--seed 1]
"""
import argparse
import heapq
import random

# Measured on two cores with a local disk: nats-server 2.9.10, one client, 64 MiB objects; redb with sync.
COSTS = {
    "commit_s": 4.1e-3,  # one transaction of the ledger, of up to 256 acts
    "acts_a_commit": 256,
    "publish_s": 114e-6,  # one message of JetStream, with its acknowledgement
    "put_bytes_a_s": (64 << 20) / 0.33,  # an object to the broker
    "get_bytes_a_s": (64 << 20) / 0.24,  # an object from the broker
    "hash_bytes_a_s": 2e9,  # SHA-256, one core
}
# Assumed: name, share of all jobs, seconds of a device, whether it is small, bytes of results, bytes of a checkpoint.
MIX = [
    ("kernel 128^3", 0.7, 1.5, True, 8 << 20, 0),
    ("monte-carlo 128^3", 0.3, 60.0, False, 16 << 20, 40 << 20),
]
INPUT_BYTES = 8 << 20  # one map of 128^3 in single precision
JOBS_A_PATIENT = 4  # their CT is the same, their activity is not
ACTS_A_JOB = 6  # two uploads, creation, start, end, and the sweep
CHECKPOINT_S = 30.0
LEASE_S = 30.0
BEAT_BYTES = 1500
DAY_S = 86_400.0


class Worker:
    """A device with a place for a small and for a large job. While both are there, the small one has 3/4 of it."""

    def __init__(self):
        self.left = [0.0, 0.0]  # seconds of the device that each lane's job still needs
        self.busy = [False, False]
        self.since = 0.0
        self.version = 0
        self.holds = {}

    def rates(self):
        if all(self.busy):
            return (0.75, 0.25)
        return (1.0 if self.busy[0] else 0.0, 1.0 if self.busy[1] else 0.0)

    def advance(self, now):
        for lane, rate in enumerate(self.rates()):
            self.left[lane] -= rate * (now - self.since)
        self.since = now
        self.version += 1

    def next_end(self):
        ends = [(self.left[lane] / rate, lane) for lane, rate in enumerate(self.rates()) if rate > 0.0]
        return min(ends) if ends else None


def quantile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def simulate(workers, jobs_a_day, most_jobs, seed):
    rng = random.Random(seed)
    rate = jobs_a_day / DAY_S
    work = sum(share * seconds for _, share, seconds, *_ in MIX)
    load = rate * work / workers
    if load >= 1.0:
        return {"load": load}
    count = max(int(min(most_jobs, jobs_a_day)), 200)
    fleet = [Worker() for _ in range(workers)]
    free = [set(range(workers)), set(range(workers))]
    queues, heads = ([], []), [0, 0]
    waits, moved, hits, asked = ([], []), 0.0, 0, 0
    events, order = [], 0
    at = 0.0
    for number in range(count):
        at += rng.expovariate(rate)
        heapq.heappush(events, (at, order, "job", number))
        order += 1

    def plan(index):
        nonlocal order
        end = fleet[index].next_end()
        if end:
            heapq.heappush(events, (fleet[index].since + max(end[0], 0.0), order, "end", (index, end[1], fleet[index].version)))
            order += 1

    def start(lane, now):
        nonlocal moved, hits, asked
        while free[lane] and heads[lane] < len(queues[lane]):
            came, number, job = queues[lane][heads[lane]]
            heads[lane] += 1
            patient = number // JOBS_A_PATIENT
            known = next((index for index in holders.get(patient, ()) if index in free[lane]), None)
            idle = free[0] & free[1] if known is None and len(free[lane]) < 50 else ()
            index = known if known is not None else (next(iter(idle)) if idle else next(iter(free[lane])))
            asked += 1
            hits += known is not None
            holders.setdefault(patient, set()).add(index)
            volumes = INPUT_BYTES * (1 if known is not None else 2)
            fetch = volumes * (1 / COSTS["put_bytes_a_s"] + 1 / COSTS["get_bytes_a_s"] + 1 / COSTS["hash_bytes_a_s"])
            _, _, seconds, _, results, checkpoint = job
            checkpoints = int(seconds / CHECKPOINT_S) * checkpoint
            moved += 2 * (volumes + results + checkpoints)
            free[lane].discard(index)
            worker = fleet[index]
            worker.advance(now)
            worker.busy[lane] = True
            # While bytes come, the device waits: the same for others in its other lane.
            worker.left[lane] = seconds * rng.uniform(0.5, 1.5) + fetch
            waits[lane].append(now - came + COSTS["commit_s"] + COSTS["publish_s"])
            plan(index)

    holders = {}
    while events:
        now, _, kind, what = heapq.heappop(events)
        if kind == "job":
            job = rng.choices(MIX, [entry[1] for entry in MIX])[0]
            lane = 0 if job[3] else 1
            queues[lane].append((now, what, job))
            start(lane, now)
            continue
        index, lane, version = what
        worker = fleet[index]
        if version != worker.version:
            continue
        worker.advance(now)
        worker.busy[lane] = False
        free[lane].add(index)
        plan(index)
        start(lane, now)
    results = sum(share * size for _, share, _, _, size, _ in MIX)
    checkpoints = sum(share * int(seconds / CHECKPOINT_S) * size for _, share, seconds, _, _, size in MIX)
    inputs = INPUT_BYTES * (1 + 1 / JOBS_A_PATIENT)
    beats = workers * (3 / LEASE_S + 4 * load) * BEAT_BYTES
    acts = rate * ACTS_A_JOB
    return {
        "load": load,
        "small": (quantile(waits[0], 0.5), quantile(waits[0], 0.99)),
        "large": (quantile(waits[1], 0.5), quantile(waits[1], 0.99)),
        "held": hits / max(asked, 1),
        # Each transaction waits for the disk once, however many acts it has.
        "ledger": min(acts, 1 / COSTS["commit_s"]) * COSTS["commit_s"],
        "acts": acts,
        "store_mb_s": rate * (inputs + results + checkpoints) / 1e6,
        "kept_tb": jobs_a_day * results * 30 / 1e12,
        "broker_mb_s": (moved / max(at, 1.0) + beats) / 1e6,
    }


def seconds(value):
    return f"{value * 1e3:.0f} ms" if value < 1 else (f"{value:.1f} s" if value < 120 else f"{value / 60:.0f} min")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs-simulated", type=int, default=20_000, help="most jobs of one case")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print("| workers | jobs a day | load | small: p50, p99 | large: p50, p99 | CT held | ledger | store | 30 days | NATS |")
    print("|---:|---:|---:|---|---|---:|---:|---:|---:|---:|")
    for workers in (1, 10, 100, 1000):
        for jobs in (1e3, 1e4, 1e5, 1e6):
            found = simulate(workers, jobs, args.jobs_simulated, args.seed)
            start = f"| {workers} | {jobs:.0e} | {found['load']:.0%} ".replace("e+0", "e")
            if "small" not in found:
                print(start + "| grows | grows | | | | | |")
                continue
            small, large = (f"{seconds(a)}, {seconds(b)}" for a, b in (found["small"], found["large"]))
            print(start + f"| {small} | {large} | {found['held']:.0%} | {found['ledger']:.1%} "
                  f"| {found['store_mb_s']:.1f} MB/s | {found['kept_tb']:.1f} TB | {found['broker_mb_s']:.1f} MB/s |")


if __name__ == "__main__":
    main()
