// Where a number lies among the nodes of the tables, without logarithm or search.
// Twin: src/engine/cpu/transport/lookup.rs
#import transport

override FRACTION_BITS: u32 = 23u - OCTAVE_BITS;

// Where a number lies: at the part `fraction` of the way from node `node` to the next.
struct Place {
    node: u32,
    fraction: f32,
}

// Where `x` lies. A number below the first node counts as the first, one beyond the last as the last.
fn place(x: f32) -> Place {
    let bits = bitcast<u32>(max(x, FIRST_NODE)) - FIRST_NODE_BITS;
    let node = bits >> FRACTION_BITS;
    if node >= NODES - 1u { return Place(NODES - 2u, 1.0); }
    let within = bits & ((1u << FRACTION_BITS) - 1u);
    return Place(node, f32(within) * (1.0 / f32(1u << FRACTION_BITS)));
}

// Where `x` lies among sparser nodes, every `stride`-th of all.
fn sparse_place(x: f32, stride: u32) -> Place {
    let at = place(x);
    return Place(at.node / stride, (f32(at.node % stride) + at.fraction) / f32(stride));
}

// The number at the part `fraction` of the way from node `node` to the next.
fn number(node: u32, fraction: f32) -> f32 {
    let within = u32(clamp(fraction, 0.0, 1.0) * f32(1u << FRACTION_BITS));
    return bitcast<f32>(FIRST_NODE_BITS + (node << FRACTION_BITS) + within);
}

// The value at the part `fraction` of the way from one value to another.
fn between(low: f32, high: f32, fraction: f32) -> f32 {
    return low + fraction * (high - low);
}

// The same for four values at once. Device only.
fn rows_between(low: vec4<f32>, high: vec4<f32>, fraction: f32) -> vec4<f32> {
    return low + fraction * (high - low);
}
