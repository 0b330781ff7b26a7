// Writes: each lane fills elements that lie one dispatch apart.
#import probe

@group(0) @binding(1) var<storage, read_write> target_values: array<vec4<f32>>;

@compute @workgroup_size(PROBE_LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = probe_lane(group, groups, lane);
    let stride = groups.x * groups.y * PROBE_LANES;
    for (var round = 0u; round < probe.rounds; round++) {
        let at = (i + round * stride) & (probe.n - 1u);
        target_values[at] = vec4<f32>(f32(at));
    }
}
