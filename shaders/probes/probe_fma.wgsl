// Multiplies and adds in single precision: eight chains of four numbers a lane, which do not wait for each other.
// A round is FMA_PER_ROUND multiplications with as many additions.
#import probe

@group(0) @binding(1) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(PROBE_LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = probe_lane(group, groups, lane);
    let factor = vec4<f32>(0.999 + 1e-6 * f32(i & 7u));
    let term = vec4<f32>(1e-3);
    var a = vec4<f32>(f32(i));
    var b = a + 1.0;
    var c = a + 2.0;
    var d = a + 3.0;
    var e = a + 4.0;
    var f = a + 5.0;
    var g = a + 6.0;
    var h = a + 7.0;
    for (var round = 0u; round < probe.rounds; round++) {
        a = fma(a, factor, term);
        b = fma(b, factor, term);
        c = fma(c, factor, term);
        d = fma(d, factor, term);
        e = fma(e, factor, term);
        f = fma(f, factor, term);
        g = fma(g, factor, term);
        h = fma(h, factor, term);
    }
    let sum = a + b + c + d + e + f + g + h;
    result[i & (probe.n - 1u)] = sum.x + sum.y + sum.z + sum.w;
}
