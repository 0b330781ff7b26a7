// Attenuation of photons, and what follows their absorption in a K shell. Twin: src/engine/cpu/transport/absorption.rs
#import transport
#import random
#import lookup

// Mass attenuation and energy-absorption coefficients [cm²/g].
fn attenuation(material: u32, at: Place) -> vec2<f32> {
    let first = params.attenuation_first + 2u * (material * NODES + at.node);
    return rows_between(row(first), row(first + 2u), at.fraction).xy;
}

// Energy [MeV] of the photon that follows an absorption in a K shell; 0 for none.
//
// `k_part`: parts of the absorptions that happen in the K shells of the material.
fn fluorescence_mev(energy_mev: f32, material: u32, k_part: vec2<f32>, stream: ptr<function, Stream>) -> f32 {
    if k_part.x <= 0.0 && k_part.y <= 0.0 { return 0.0; }
    var choice = next_uniform(stream);
    let first = row(params.k_shells_first + 2u * material);
    let lit = k_part.x * first.x;
    if choice < lit { return line_mev(energy_mev, first, choice, lit); }
    choice -= lit;
    let second = row(params.k_shells_first + 2u * material + 1u);
    let lit_second = k_part.y * second.x;
    if choice < lit_second { return line_mev(energy_mev, second, choice, lit_second); }
    return 0.0;
}

// The line of a K shell, given its fluorescence yield, the part of Kα, and the energies of Kα and Kβ.
fn line_mev(energy_mev: f32, shell: vec4<f32>, choice: f32, lit: f32) -> f32 {
    let line = select(shell.w, shell.z, choice < lit * shell.y);
    // The photon is above the edge, and so above the line, but for the coarseness of the tables.
    return select(0.0, line, line < energy_mev);
}
