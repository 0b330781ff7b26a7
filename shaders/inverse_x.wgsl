// Transforms the slab of the half spectrum back along x, two real rows as one complex line, and adds it to the result.
// The transform is linear: with the other slabs taken as zero, the sum over all slabs is the whole. The first slab
// begins it with what the core of the kernel gives.
// In: spectrum, rows below n_y; source, core. Out: result, overwritten by the first slab, added to by the others.
#import layout
#import grid
#import complex
#import core
#import done
#lines rows inverse

@group(0) @binding(2) var<storage, read> spectrum: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

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

    for (var i = lane; i < (TILE + 3u) / 4u * params.n_x; i += LANES) {
        let x = i % params.n_x;
        let pair = i / params.n_x * 4u;
        var strip = Strip(vec4(0.0), vec4(0.0));
        if params.first_kx == 0u {
            strip = direct_sum(x, tile.y + 2u * pair, params.first_volume_plane + tile.plane);
        }
        add(tile, x, pair, strip.upper.xy);
        add(tile, x, pair + 1u, strip.upper.zw);
        add(tile, x, pair + 2u, strip.lower.xy);
        add(tile, x, pair + 3u, strip.lower.zw);
    }
    count_done(g, lane);
}

// Adds a pair of values, and those of its line, to the result.
fn add(tile: Tile, x: u32, pair: u32, values: vec2<f32>) {
    let y = tile.y + 2u * pair;
    if pair >= TILE || y >= params.n_y { return; }
    let first = (tile.plane * params.n_y + y) * params.n_x + x;
    let sum = values + swap(line[slot(x, pair)]);
    if params.first_kx == 0u {
        result[first] = sum.x;
        if y + 1u < params.n_y { result[first + params.n_x] = sum.y; }
    } else {
        result[first] += sum.x;
        if y + 1u < params.n_y { result[first + params.n_x] += sum.y; }
    }
}

fn has_line(tile: Tile, pair: u32) -> bool {
    return tile.y + 2u * pair < params.n_y;
}

// LENGTH is even along x. Rows are real: of a frequency above the half, its mirror image has the conjugate.
fn load(tile: Tile, frequency: u32, pair: u32) -> vec2<f32> {
    let y = tile.y + 2u * pair;
    let mirrored = LENGTH - frequency;
    let kx = min(frequency, mirrored) - params.first_kx; // wraps below 0
    let plane = (params.first_spectrum_plane + tile.plane) * params.padded_y;
    let even = (plane + y) * params.row_stride + min(kx, params.n_kx - 1u);
    let odd = even + select(0u, params.row_stride, y + 1u < params.n_y);
    let is_real = frequency == 0u || frequency == mirrored;
    let sign = select(select(1.0, -1.0, mirrored < frequency), 0.0, is_real);
    let has = vec2(kx < params.n_kx, kx < params.n_kx && odd > even);
    let kept = select(vec4(0.0), vec4(spectrum[even], spectrum[odd]), has.xxyy);
    return vec2(sign * kept.y + kept.z, kept.x - sign * kept.w);
}
