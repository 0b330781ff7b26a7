// Transforms the slab of the half spectrum back along x, two real rows as one complex line, and adds it to the result.
// The transform is linear: with the other slabs taken as zero, the sum over all slabs is the whole.
// In: spectrum, rows below n_y. Out: result, added to.
#import layout
#import grid
#import complex
#import fft
#import done

// Where frequency k lies in digit-reversed order.
@group(0) @binding(2) var<storage, read> positions: array<u32>;
@group(0) @binding(3) var<storage, read> spectrum: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let g = linear_group(group, groups);
    if g >= params.end_group { return; }
    let pairs_per_plane = (params.n_y + 1u) / 2u;
    let n_pairs = pairs_per_plane * params.n_planes;

    // LENGTH is even along x.
    let n_half = LENGTH / 2u + 1u;
    for (var i = lane; i < n_half * TILE; i += WORKGROUP) {
        let k = i % n_half;
        let pair = g * TILE + i / n_half;
        let y = 2u * (pair % pairs_per_plane);
        var even = vec2(0.0);
        var odd = vec2(0.0);
        if pair < n_pairs && k >= params.first_kx && k - params.first_kx < params.n_kx {
            let plane = params.first_spectrum_plane + pair / pairs_per_plane;
            let first = (plane * params.padded_y + y) * params.row_stride + k - params.first_kx;
            even = spectrum[first];
            if y + 1u < params.n_y { odd = spectrum[first + params.row_stride]; }
        }
        let start = (i / n_half) * LENGTH;
        if k == 0u || 2u * k == LENGTH {
            line[start + positions[k]] = swap(vec2(even.x, odd.x));
        } else {
            line[start + positions[k]] = swap(even - times_minus_i(odd));
            line[start + positions[LENGTH - k]] = swap(conjugate(even) - times_minus_i(conjugate(odd)));
        }
    }
    workgroupBarrier();
    fft_inverse(lane);

    for (var i = lane; i < LINE_POINTS; i += WORKGROUP) {
        let at = point_and_line(i, LENGTH);
        let pair = g * TILE + at.y;
        if at.x < params.n_x && pair < n_pairs {
            let y = 2u * (pair % pairs_per_plane);
            let plane = params.first_volume_plane + pair / pairs_per_plane;
            let first = (plane * params.n_y + y) * params.n_x + at.x;
            result[first] += line[i].y;
            if y + 1u < params.n_y { result[first + params.n_x] += line[i].x; }
        }
    }
    count_done(g, lane);
}
