// Transforms rows of the source along x: two real rows as one complex line, which is then split again. Keeps the slab
// of kx that is held.
// In: source. Out: spectrum, rows below n_y.
#import layout
#import grid
#import complex
#import done
#lines rows forward

@group(0) @binding(2) var<storage, read> source: array<f32>;
@group(0) @binding(3) var<storage, read_write> spectrum: array<vec2<f32>>;

// Pairs of rows that lie side by side.
struct Tile {
    y: u32, // of the first row
    plane: u32,
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let g = linear_group(group, groups);
    if g >= params.end_group { return; }
    let n_tiles = (params.n_y + 2u * TILE - 1u) / (2u * TILE);
    let tile = Tile(g % n_tiles * 2u * TILE, g / n_tiles);
    transform_lines(lane, tile);
    workgroupBarrier();

    for (var i = lane; i < params.n_kx * TILE; i += LANES) {
        let pair = i / params.n_kx;
        let y = tile.y + 2u * pair;
        if has_line(tile, pair) {
            let kx = i % params.n_kx;
            let k = params.first_kx + kx;
            let plus = line[slot(position(k), pair)];
            let minus = conjugate(line[slot(position((LENGTH - k) % LENGTH), pair)]);
            let plane = params.first_spectrum_plane + tile.plane;
            let first = (plane * params.padded_y + y) * params.row_stride + kx;
            spectrum[first] = 0.5 * (plus + minus);
            if y + 1u < params.n_y { spectrum[first + params.row_stride] = times_minus_i(0.5 * (plus - minus)); }
        }
    }
    count_done(g, lane);
}

fn has_line(tile: Tile, pair: u32) -> bool {
    return tile.y + 2u * pair < params.n_y;
}

// Zero outside. No value waits for a branch.
fn load(tile: Tile, x: u32, pair: u32) -> vec2<f32> {
    let y = tile.y + 2u * pair;
    let plane = (params.first_volume_plane + tile.plane) * params.n_y * params.n_x;
    let even = plane + y * params.n_x + min(x, params.n_x - 1u);
    let odd = even + select(0u, params.n_x, y + 1u < params.n_y);
    return select(vec2(0.0), vec2(source[even], source[odd]), vec2(x < params.n_x, x < params.n_x && odd > even));
}
