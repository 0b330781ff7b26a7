// Transforms rows of the source along x: two real rows as one complex line, which is then split again. Keeps the slab
// of kx that is held.
// In: source. Out: spectrum, rows below n_y; kx in natural order.
#import layout
#import grid
#import complex
#import fft
#import done

// Where frequency k lies in digit-reversed order.
@group(0) @binding(2) var<storage, read> positions: array<u32>;
@group(0) @binding(3) var<storage, read> source: array<f32>;
@group(0) @binding(4) var<storage, read_write> spectrum: array<vec2<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let g = linear_group(group, groups);
    if g >= params.end_group { return; }
    let pairs_per_plane = (params.n_y + 1u) / 2u;
    let n_pairs = pairs_per_plane * params.n_planes;

    for (var i = lane; i < LINE_POINTS; i += WORKGROUP) {
        let at = point_and_line(i, LENGTH);
        let pair = g * TILE + at.y;
        line[i] = vec2(0.0);
        if at.x < params.n_x && pair < n_pairs {
            let y = 2u * (pair % pairs_per_plane);
            let plane = params.first_volume_plane + pair / pairs_per_plane;
            let first = (plane * params.n_y + y) * params.n_x + at.x;
            line[i].x = source[first];
            if y + 1u < params.n_y { line[i].y = source[first + params.n_x]; }
        }
    }
    workgroupBarrier();
    fft_forward(lane);

    for (var i = lane; i < params.n_kx * TILE; i += WORKGROUP) {
        let pair = g * TILE + i / params.n_kx;
        if pair < n_pairs {
            let kx = i % params.n_kx;
            let k = params.first_kx + kx;
            let start = (i / params.n_kx) * LENGTH;
            let plus = line[start + positions[k]];
            let minus = conjugate(line[start + positions[(LENGTH - k) % LENGTH]]);
            let y = 2u * (pair % pairs_per_plane);
            let plane = params.first_spectrum_plane + pair / pairs_per_plane;
            let first = (plane * params.padded_y + y) * params.row_stride + kx;
            spectrum[first] = 0.5 * (plus + minus);
            if y + 1u < params.n_y { spectrum[first + params.row_stride] = times_minus_i(0.5 * (plus - minus)); }
        }
    }
    count_done(g, lane);
}
