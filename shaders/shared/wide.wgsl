// Whole numbers of 64 bits as two words, of which x is the low one.

// The sum of two.
fn add_wide(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2(low, a.y + b.y + u32(low < a.x));
}

// The sum of a number and a word.
fn add_word(a: vec2<u32>, b: u32) -> vec2<u32> {
    return add_wide(a, vec2(b, 0u));
}

// What is left of `a` without `b`, which is not above it.
fn without(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return vec2(a.x - b.x, a.y - b.y - u32(a.x < b.x));
}

// A number in single precision, from its two words.
fn single(wide: vec2<u32>) -> f32 {
    return f32(wide.y) * 4294967296.0 + f32(wide.x);
}

// Whether `a` is below `b`.
fn is_below(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}
