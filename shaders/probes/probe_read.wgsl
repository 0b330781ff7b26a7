// Reads: each lane adds up elements that lie one dispatch apart, so that neighbours read side by side.
#import probe

@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(PROBE_LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = probe_lane(group, groups, lane);
    let stride = groups.x * groups.y * PROBE_LANES;
    var sum = vec4<f32>();
    for (var round = 0u; round < probe.rounds; round++) {
        sum += source[(i + round * stride) & (probe.n - 1u)];
    }
    result[i] = sum.x + sum.y + sum.z + sum.w;
}
