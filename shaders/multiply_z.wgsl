// Transforms the spectrum along z, multiplies by the kernel's, transforms back: in place, one pass over memory.
// Reads the planes of the source, writes those of the result, from plane 0 on.
#import layout
#import grid
#import complex
#import fft
#import done

// The frequency at each digit-reversed position, or its mirror image if that is lower: the kernel is even along each
// axis.
@group(0) @binding(2) var<storage, read> folded_y: array<u32>;
@group(0) @binding(3) var<storage, read> folded_z: array<u32>;
// One octant, real: kz fastest, then ky, then kx of the slab.
@group(0) @binding(4) var<storage, read> kernel: array<f32>;
@group(0) @binding(5) var<storage, read_write> spectrum: array<vec2<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let g = linear_group(group, groups);
    if g >= params.end_group { return; }
    let n_tiles = (params.n_kx + TILE - 1u) / TILE;
    let kx = g % n_tiles * TILE;
    let y = g / n_tiles;
    let first = y * params.row_stride + kx;
    let plane_stride = params.padded_y * params.row_stride;
    let n_kz = LENGTH / 2u + 1u;
    let n_ky = params.padded_y / 2u + 1u;

    for (var i = lane; i < LINE_POINTS; i += WORKGROUP) {
        let at = point_and_line(i, LENGTH);
        line[i] = vec2(0.0);
        if at.x < params.n_source_planes && kx + at.y < params.n_kx {
            line[i] = spectrum[first + at.x * plane_stride + at.y];
        }
    }
    workgroupBarrier();
    fft_forward(lane);

    for (var i = lane; i < LINE_POINTS; i += WORKGROUP) {
        let at = point_and_line(i, LENGTH);
        let column = min(kx + at.y, params.n_kx - 1u); // a tile may overhang the slab
        line[i] = swap(line[i] * kernel[(column * n_ky + folded_y[y]) * n_kz + folded_z[at.x]]);
    }
    workgroupBarrier();
    fft_inverse(lane);

    for (var i = lane; i < LINE_POINTS; i += WORKGROUP) {
        let at = point_and_line(i, LENGTH);
        let kept = at.x >= params.first_result_plane && at.x - params.first_result_plane < params.n_result_planes;
        if kept && kx + at.y < params.n_kx {
            spectrum[first + (at.x - params.first_result_plane) * plane_stride + at.y] = swap(line[i]);
        }
    }
    count_done(g, lane);
}
