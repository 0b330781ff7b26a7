// What the probes share: small stages that measure what a device can do at most. They compute nothing of a dose.

// What a probe is told.
struct ProbeParams {
    n: u32,      // elements of its buffers, or addresses of its atomics; a power of two
    rounds: u32, // how often a lane repeats its work
}

@group(0) @binding(0) var<uniform> probe: ProbeParams;

const PROBE_LANES: u32 = 256u;

// The number of a lane in a dispatch of two axes.
fn probe_lane(group: vec3<u32>, groups: vec3<u32>, lane: u32) -> u32 {
    return (group.y * groups.x + group.x) * PROBE_LANES + lane;
}
