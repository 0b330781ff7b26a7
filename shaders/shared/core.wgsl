// The core of the kernel, convolved with the source directly. In a Fourier transform, the few large values next to the
// centre would spread their rounding noise over the whole grid.
#import layout

// Planes with a halo.
@group(0) @binding(5) var<storage, read> source: array<f32>;
// One octant.
@group(0) @binding(6) var<storage, read> core: array<f32>;

// Values of eight rows, one below the other, at one x.
struct Strip {
    upper: vec4<f32>,
    lower: vec4<f32>,
}

// The part of the core in eight rows from y on. A lane holds the eight source values that one row of the core meets,
// and takes one more from memory for the next row. Every lane of a workgroup is at the same value of the core.
fn direct_sum(x: u32, y: u32, z: u32) -> Strip {
    var sum = Strip(vec4(0.0), vec4(0.0));
    for (var i = 0u; i <= 2u * params.core_z; i++) {
        let source_z = z + i - params.core_z; // wraps below 0
        if source_z >= params.volume_planes { continue; }
        for (var j = 0u; j <= 2u * params.core_x; j++) {
            let source_x = x + j - params.core_x;
            if source_x >= params.n_x { continue; }
            let column = source_z * params.n_y * params.n_x + source_x;
            let taps = distance_1d(i, params.core_z) * (params.core_y + 1u) * (params.core_x + 1u)
                + distance_1d(j, params.core_x);
            var row = y - params.core_y;
            var upper = four_rows(column, row);
            var lower = four_rows(column, row + 4u);
            row += 8u;
            for (var k = 0u; k <= 2u * params.core_y; k++) {
                let tap = core[taps + distance_1d(k, params.core_y) * (params.core_x + 1u)];
                sum.upper += tap * upper;
                sum.lower += tap * lower;
                upper = vec4(upper.yzw, lower.x);
                lower = vec4(lower.yzw, source_row(column, row + k));
            }
        }
    }
    return sum;
}

fn four_rows(column: u32, row: u32) -> vec4<f32> {
    let upper = vec2(source_row(column, row), source_row(column, row + 1u));
    return vec4(upper, source_row(column, row + 2u), source_row(column, row + 3u));
}

// Zero outside. No value waits for a branch.
fn source_row(column: u32, row: u32) -> f32 {
    let value = source[column + min(row, params.n_y - 1u) * params.n_x];
    return select(0.0, value, row < params.n_y);
}

fn distance_1d(a: u32, b: u32) -> u32 {
    return max(a, b) - min(a, b);
}
