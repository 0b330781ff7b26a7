// Adds to words that other lanes add to as well: as many addresses as a probe says, taken in a scattered order.
#import probe

@group(0) @binding(1) var<storage, read_write> words: array<atomic<u32>>;

@compute @workgroup_size(PROBE_LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    var at = probe_lane(group, groups, lane);
    for (var round = 0u; round < probe.rounds; round++) {
        // A linear congruence (Knuth 1998, 3.3.4, Table 1): its high bits are the scattered ones.
        at = at * 1664525u + 1013904223u;
        atomicAdd(&words[(at >> 7u) & (probe.n - 1u)], 1u);
    }
}
