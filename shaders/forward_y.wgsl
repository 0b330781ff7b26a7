// Transforms the spectrum along y, in place: reads the n_y rows that are not padding, writes all.
#import layout
#import grid
#import done
#lines columns forward

@group(0) @binding(2) var<storage, read_write> spectrum: array<vec2<f32>>;

// Columns that lie side by side.
struct Tile {
    first: u32, // value of the spectrum
    n_columns: u32,
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let g = linear_group(group, groups);
    if g >= params.end_group { return; }
    let n_tiles = (params.n_kx + TILE - 1u) / TILE;
    let kx = g % n_tiles * TILE;
    transform_lines(lane, Tile(g / n_tiles * params.padded_y * params.row_stride + kx, params.n_kx - kx));
    count_done(g, lane);
}

fn has_line(tile: Tile, column: u32) -> bool {
    return column < tile.n_columns;
}

// Zero outside. No value waits for a branch.
fn load(tile: Tile, y: u32, column: u32) -> vec2<f32> {
    let row = tile.first + min(y, params.n_y - 1u) * params.row_stride;
    return select(vec2(0.0), spectrum[row + column], y < params.n_y);
}

fn store(tile: Tile, ky: u32, column: u32, value: vec2<f32>) {
    spectrum[tile.first + ky * params.row_stride + column] = value;
}
