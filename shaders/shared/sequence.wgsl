// Six numbers for each rank of a history, which fill their space more evenly than chance does: Sobol's sequence.
// Twin: src/prepare/transport/sequence.rs
//
// Source: Sobol', USSR Comput. Math. Math. Phys. 7 (1967) 86; scrambling: Owen (1995), by the hash of Laine & Karras,
// Comput. Graph. Forum 30 (2011) 1265, with the constants of Vegdahl (2021).
#import transport

// Place on the cumulative activity, in 2^-64: the rank's bits in reverse, scrambled by the lower half of the shift,
// which stands below them.
fn activity_place(rank: u32, shift: vec2<u32>) -> vec2<u32> {
    return vec2(0u, reverseBits(scrambled(rank, shift.x))) ^ shift;
}

// Place in a slot of the emissions, in 2^-32: the same after Pascal's triangle modulo 2.
fn emission_place(rank: u32, scramble: u32, shift: u32) -> u32 {
    return further_place(pascal(rank), scramble, shift);
}

// The digits of a rank in the third to the sixth dimension, not scrambled yet, the first digit in the lowest bit.
fn further_digits(rank: u32) -> vec4<u32> {
    var digits = vec4(0u);
    var left = rank;
    for (var bit = 0u; left != 0u; bit++) {
        digits ^= tables[params.digits_first + bit] & vec4(0u - (left & 1u));
        left >>= 1u;
    }
    return digits;
}

// The number, in 2^-32, that digits stand for once they are scrambled.
fn further_place(digits: u32, scramble: u32, shift: u32) -> u32 {
    return reverseBits(scrambled(digits, scramble)) ^ shift;
}

// Changes each bit by what the bits below it and the scramble say.
fn scrambled(number: u32, scramble: u32) -> u32 {
    var bits = number;
    bits ^= bits * 0x3D20ADEAu;
    bits = (bits + scramble) * ((scramble >> 16u) | 1u);
    bits ^= bits * 0x05526C56u;
    return bits ^ (bits * 0x53A22864u);
}

// Bit j of the result is the sum, modulo 2, of the bits i for which the binomial coefficient C(i, j) is odd.
fn pascal(number: u32) -> u32 {
    var bits = number;
    bits ^= (bits >> 1u) & 0x55555555u;
    bits ^= (bits >> 2u) & 0x33333333u;
    bits ^= (bits >> 4u) & 0x0F0F0F0Fu;
    bits ^= (bits >> 8u) & 0x00FF00FFu;
    return bits ^ ((bits >> 16u) & 0x0000FFFFu);
}
