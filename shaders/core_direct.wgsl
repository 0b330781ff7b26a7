// Convolves the source with the core of the kernel directly, one voxel a lane: the first term of the result. In a
// Fourier transform, the few large values next to the centre would spread their rounding noise over the whole grid.
// In: source (planes with a halo), core (octant). Out: result, overwritten.
#import layout
#import grid
#import done

@group(0) @binding(2) var<storage, read> source: array<f32>;
@group(0) @binding(3) var<storage, read> core: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let g = linear_group(group, groups);
    let i = g * WORKGROUP + lane;
    if g >= params.end_group || i >= params.n_x * params.n_y * params.n_planes { return; }
    let x = i % params.n_x;
    let row = i / params.n_x;
    result[i] = direct_sum(x, row % params.n_y, row / params.n_y + params.first_volume_plane);
    count_done(g, lane);
}

fn direct_sum(x: u32, y: u32, z: u32) -> f32 {
    var sum = 0.0;
    for (var sz = below(z, params.core_z); sz <= above(z, params.core_z, params.volume_planes); sz++) {
        for (var sy = below(y, params.core_y); sy <= above(y, params.core_y, params.n_y); sy++) {
            let source_row = (sz * params.n_y + sy) * params.n_x;
            let core_row = (distance_1d(z, sz) * (params.core_y + 1u) + distance_1d(y, sy)) * (params.core_x + 1u);
            for (var sx = below(x, params.core_x); sx <= above(x, params.core_x, params.n_x); sx++) {
                sum += core[core_row + distance_1d(x, sx)] * source[source_row + sx];
            }
        }
    }
    return sum;
}

fn below(at: u32, reach: u32) -> u32 {
    return at - min(at, reach);
}

fn above(at: u32, reach: u32, n: u32) -> u32 {
    return min(at + reach, n - 1u);
}

fn distance_1d(a: u32, b: u32) -> u32 {
    return max(a, b) - min(a, b);
}
