// Random numbers by counting: a history gets the same words wherever and in whatever order it runs.
// Twin: src/engine/cpu/transport/random.rs
//
// Source: Salmon, Moraes, Dror & Shaw, Proc. SC11 (2011), art. 16.
#import transport

// The random words of one particle of a history.
struct Stream {
    key: vec4<u32>,
    id: u32,           // which particle of the history it is
    drawn: u32,        // words drawn so far
    block: vec4<u32>,
    exhausted: u32,    // rejection loops that reached their bound
}

// Parity of the key schedule, 32-bit words.
const PARITY: u32 = 0x1BD11BDAu;

// Four random words for a key and a counter: Threefry4x32 with 13 rounds.
fn threefry(key: vec4<u32>, counter: vec4<u32>) -> vec4<u32> {
    let last = PARITY ^ key.x ^ key.y ^ key.z ^ key.w;
    var x = counter + key;
    x = odd_round(even_round(x, 10u, 26u), 11u, 21u);
    x = odd_round(even_round(x, 13u, 27u), 23u, 5u);
    x += vec4(key.y, key.z, key.w, last + 1u);
    x = odd_round(even_round(x, 6u, 20u), 17u, 11u);
    x = odd_round(even_round(x, 25u, 10u), 18u, 20u);
    x += vec4(key.z, key.w, last, key.x + 2u);
    x = odd_round(even_round(x, 10u, 26u), 11u, 21u);
    x = odd_round(even_round(x, 13u, 27u), 23u, 5u);
    x += vec4(key.w, last, key.x, key.y + 3u);
    return even_round(x, 6u, 20u);
}

// Mixes words 0 and 1, 2 and 3.
fn even_round(x: vec4<u32>, a: u32, b: u32) -> vec4<u32> {
    let first = x.x + x.y;
    let third = x.z + x.w;
    return vec4(first, rotated(x.y, a) ^ first, third, rotated(x.w, b) ^ third);
}

// Mixes words 0 and 3, 2 and 1.
fn odd_round(x: vec4<u32>, a: u32, b: u32) -> vec4<u32> {
    let first = x.x + x.w;
    let third = x.z + x.y;
    return vec4(first, rotated(x.y, b) ^ third, third, rotated(x.w, a) ^ first);
}

// Device only: `rotate_left` of Rust.
fn rotated(word: u32, bits: u32) -> u32 {
    return (word << bits) | (word >> (32u - bits));
}

// The key of a history.
fn history_key(history: vec2<u32>) -> vec4<u32> {
    return vec4(params.seed_low, params.seed_high, history);
}

// The stream of particle `id`, after `drawn` words. Device only: on the host a stream is never set aside.
fn start_stream(key: vec4<u32>, id: u32, drawn: u32) -> Stream {
    var stream = Stream(key, id, drawn, vec4(0u), 0u);
    if (drawn & 3u) != 0u { stream.block = threefry(key, vec4(drawn >> 2u, id, 0u, 0u)); }
    return stream;
}

// The next word.
fn next_word(stream: ptr<function, Stream>) -> u32 {
    let lane = stream.drawn & 3u;
    if lane == 0u { stream.block = threefry(stream.key, vec4(stream.drawn >> 2u, stream.id, 0u, 0u)); }
    stream.drawn += 1u;
    let in_low = select(stream.block.x, stream.block.y, lane == 1u);
    let in_high = select(stream.block.z, stream.block.w, lane == 3u);
    return select(in_low, in_high, lane >= 2u);
}

// The next number, above 0 and below 1.
fn next_uniform(stream: ptr<function, Stream>) -> f32 {
    return unit_interval(next_word(stream));
}

// The middle of one of 2^23 equal parts of the unit interval: never 0, never 1.
fn unit_interval(word: u32) -> f32 {
    return (f32(word >> 9u) + 0.5) * (1.0 / 8388608.0);
}

// Two numbers above 0 and below 1 from the halves of one word, for what needs no more than 2^16 values.
fn unit_pair(word: u32) -> vec2<f32> {
    return (vec2(f32(word & 0xFFFFu), f32(word >> 16u)) + 0.5) * (1.0 / 65536.0);
}
