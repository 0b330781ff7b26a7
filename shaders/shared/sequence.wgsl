// Two numbers for each rank of a history, which fill the square more evenly than chance does: Sobol's sequence.
// Twin: src/prepare/transport/sequence.rs
//
// Source: Sobol', USSR Comput. Math. Math. Phys. 7 (1967) 86.

// Place on the cumulative activity, in 2^-64: the rank's bits in reverse.
fn activity_place(rank: u32, shift: vec2<u32>) -> vec2<u32> {
    return vec2(0u, reverseBits(rank)) ^ shift;
}

// Place in a slot of the emissions, in 2^-32: the same after Pascal's triangle modulo 2.
fn emission_place(rank: u32, shift: u32) -> u32 {
    return reverseBits(pascal(rank)) ^ shift;
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
