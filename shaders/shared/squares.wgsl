// Products, quotients and squares of whole numbers of many words, of which x is the lowest.
// Twin, by whole voxels: src/domain/summed.rs
#import wide

// The product of two words.
fn product(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xFFFFu) * (b & 0xFFFFu);
    let middle = (a >> 16u) * (b & 0xFFFFu);
    let other = (a & 0xFFFFu) * (b >> 16u);
    let high = (a >> 16u) * (b >> 16u);
    let carried = (low >> 16u) + (middle & 0xFFFFu) + (other & 0xFFFFu);
    return vec2(
        (carried << 16u) | (low & 0xFFFFu),
        high + (middle >> 16u) + (other >> 16u) + (carried >> 16u),
    );
}

// The product of a number of two words and a word, which must have two words.
fn times(a: vec2<u32>, b: u32) -> vec2<u32> {
    let low = product(a.x, b);
    return vec2(low.x, low.y + a.y * b);
}

// How often `b` goes into `a`. It must be above 0 and below 2^63.
fn quotient(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    var left = a;
    var rest = vec2(0u);
    var found = vec2(0u);
    for (var bit = 0u; bit < 64u; bit++) {
        rest = vec2((rest.x << 1u) | (left.y >> 31u), (rest.y << 1u) | (rest.x >> 31u));
        left = vec2(left.x << 1u, (left.y << 1u) | (left.x >> 31u));
        found = vec2(found.x << 1u, (found.y << 1u) | (found.x >> 31u));
        if !is_below(rest, b) {
            rest = without(rest, b);
            found.x |= 1u;
        }
    }
    return found;
}

// The sum of two numbers of four words.
fn add_four(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    let low = add_wide(a.xy, b.xy);
    let high = add_wide(a.zw, b.zw);
    return vec4(low, add_word(high, u32(is_below(low, a.xy))));
}

// The square of a number.
fn squared(a: vec2<u32>) -> vec4<u32> {
    let mixed = product(a.x, a.y);
    let twice = vec3(mixed.x << 1u, (mixed.y << 1u) | (mixed.x >> 31u), mixed.y >> 31u);
    return add_four(vec4(product(a.x, a.x), product(a.y, a.y)), vec4(0u, twice));
}

// The bits of the largest number of single precision that is not above `a`.
fn truncated(a: vec4<u32>) -> u32 {
    var words = a;
    var place = 96u; // of the lowest bit of the highest word
    while place > 0u && words.w == 0u {
        words = vec4(0u, words.xyz);
        place -= 32u;
    }
    if words.w == 0u { return 0u; }
    var head = words.w;
    var next = words.z;
    var bit = place + 31u;
    while (head >> 31u) == 0u {
        head = (head << 1u) | (next >> 31u);
        next <<= 1u;
        bit -= 1u;
    }
    return ((127u + bit) << 23u) | ((head >> 8u) & 0x7FFFFFu);
}
