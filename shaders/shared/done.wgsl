// How many workgroups came to their end. A stage that did not run leaves what was there before, which may look like a
// result: the host compares this with what it gave.

// The sum counts. There are many words, so that workgroups do not wait for one another.
@group(0) @binding(7) var<storage, read_write> done: array<atomic<u32>>;

// All lanes of a workgroup, when it has nothing left to do.
fn count_done(group: u32, lane: u32) {
    if lane == 0u { atomicAdd(&done[group % arrayLength(&done)], 1u); }
}
