// Transforms the spectrum along y, in place: reads the n_y rows that are not padding, writes all.
#import layout
#import grid
#import fft
#import done

@group(0) @binding(2) var<storage, read_write> spectrum: array<vec2<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let g = linear_group(group, groups);
    if g >= params.end_group { return; }
    let n_tiles = (params.n_kx + TILE - 1u) / TILE;
    let kx = g % n_tiles * TILE;
    let first = g / n_tiles * params.padded_y * params.row_stride + kx;

    for (var i = lane; i < LINE_POINTS; i += WORKGROUP) {
        let at = point_and_line(i, LENGTH);
        line[i] = vec2(0.0);
        if at.x < params.n_y && kx + at.y < params.n_kx { line[i] = spectrum[first + at.x * params.row_stride + at.y]; }
    }
    workgroupBarrier();
    fft_forward(lane);

    for (var i = lane; i < LINE_POINTS; i += WORKGROUP) {
        let at = point_and_line(i, LENGTH);
        if kx + at.y < params.n_kx { spectrum[first + at.x * params.row_stride + at.y] = line[i]; }
    }
    count_done(g, lane);
}
