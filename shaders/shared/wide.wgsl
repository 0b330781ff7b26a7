// Whole numbers of 64 bits, as two words: x is the low one.
fn add_wide(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2(low, a.y + b.y + u32(low < a.x));
}

fn add_word(a: vec2<u32>, b: u32) -> vec2<u32> {
    return add_wide(a, vec2(b, 0u));
}

fn is_below(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

// The whole product of two words.
fn product(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xFFFFu) * (b & 0xFFFFu);
    let first = (a >> 16u) * (b & 0xFFFFu) + (low >> 16u);
    let second = (a & 0xFFFFu) * (b >> 16u) + (first & 0xFFFFu);
    return vec2((second << 16u) | (low & 0xFFFFu), (a >> 16u) * (b >> 16u) + (first >> 16u) + (second >> 16u));
}
