// Adds, rotates and exclusive-ors words, as the random numbers of transport do: four chains of four words a lane.
// A round is 5 operations on each of 16 words: an addition, two shifts, an or, an exclusive or.
#import probe

@group(0) @binding(1) var<storage, read_write> result: array<u32>;

@compute @workgroup_size(PROBE_LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = probe_lane(group, groups, lane);
    var a = vec4<u32>(i, i + 1u, i + 2u, i + 3u);
    var b = a * 3u;
    var c = a * 5u;
    var d = a * 7u;
    for (var round = 0u; round < probe.rounds; round++) {
        a = mixed(a + b);
        b = mixed(b + c);
        c = mixed(c + d);
        d = mixed(d + a);
    }
    let sum = a ^ b ^ c ^ d;
    result[i & (probe.n - 1u)] = sum.x ^ sum.y ^ sum.z ^ sum.w;
}

fn mixed(x: vec4<u32>) -> vec4<u32> {
    return x ^ ((x << vec4<u32>(13u)) | (x >> vec4<u32>(19u)));
}
