// Transforms the spectrum along z, multiplies by the kernel's, transforms back: in place, one pass over memory.
// Reads the planes of the source, writes those of the result, from plane 0 on.
#import layout
#import grid
#import complex
#import done
#lines columns both

// One octant, real: kx of the slab fastest, then kz, then ky. The kernel is even along each axis.
@group(0) @binding(2) var<storage, read> kernel: array<f32>;
@group(0) @binding(3) var<storage, read_write> spectrum: array<vec2<f32>>;

// Columns that lie side by side.
struct Tile {
    first: u32, // value of the spectrum
    n_columns: u32,
    kernel: u32, // value of the kernel at kz = 0
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let g = linear_group(group, groups);
    if g >= params.end_group { return; }
    let n_tiles = (params.n_kx + TILE - 1u) / TILE;
    let kx = g % n_tiles * TILE;
    let y = g / n_tiles;
    let ky = min(y, params.padded_y - y);
    let n_kz = LENGTH / 2u + 1u;
    transform_lines(lane, Tile(y * params.row_stride + kx, params.n_kx - kx, ky * n_kz * params.n_kx + kx));
    count_done(g, lane);
}

fn has_line(tile: Tile, column: u32) -> bool {
    return column < tile.n_columns;
}

// Zero outside. No value waits for a branch.
fn load(tile: Tile, z: u32, column: u32) -> vec2<f32> {
    let row = tile.first + min(z, params.n_source_planes - 1u) * params.padded_y * params.row_stride;
    return select(vec2(0.0), spectrum[row + column], z < params.n_source_planes);
}

fn multiplied(tile: Tile, k: u32, column: u32, value: vec2<f32>) -> vec2<f32> {
    let row = tile.kernel + min(k, LENGTH - k) * params.n_kx;
    return swap(value * kernel[row + column]);
}

fn store(tile: Tile, z: u32, column: u32, value: vec2<f32>) {
    let plane = z - params.first_result_plane; // wraps below 0
    if plane < params.n_result_planes {
        spectrum[tile.first + plane * params.padded_y * params.row_stride + column] = swap(value);
    }
}
