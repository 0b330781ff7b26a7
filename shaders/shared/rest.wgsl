// The end of a charged particle: its energy stays where it is, except for what photons still carry away.
// Twin, by whole histories: src/engine/cpu/transport/charged/rest.rs
#import transport
#import random
#import geometry
#import sampling
#import collision
#import history
#import step

// What a charged particle can do where it is.
struct Outlook {
    reach: Reach,
    to_surface: f32, // mass per area between it and the nearest point of its voxel's surface [g/cm²]
}

fn outlook_of(kind: u32, energy_mev: f32, at: Position, medium: Medium) -> Outlook {
    let reach = reach_at(energy_mev, charge_table(medium.material, kind));
    return Outlook(reach, nearest_surface_cm(at) * medium.density_g_cm3);
}

// Whether a particle is below the cut, or all its energy will stay in its voxel, however it goes on. In a vacuum
// nothing ends: it goes on to the next matter.
fn ends_here(outlook: Outlook, energy_mev: f32, medium: Medium) -> bool {
    let is_below_cut = energy_mev < params.absorption_mev && medium.density_g_cm3 > 0.0;
    return is_below_cut || outlook.reach.csda_range < outlook.to_surface;
}

// Absorbs an electron where it is set free, if it goes no farther: as one that waits would be, but without waiting.
// Returns the energy that stays there [MeV]; below 0 if it must be followed. `walk`, `stream`: what sets it free.
fn absorbed_mev(walk: ptr<function, Walk>, stream: ptr<function, Stream>, energy_mev: f32) -> f32 {
    let outlook = outlook_of(ELECTRON, energy_mev, walk.track.at, walk.medium);
    if !ends_here(outlook, energy_mev, walk.medium) { return -1.0; }
    return energy_mev - last_photon_mev(walk, stream, ELECTRON, energy_mev, outlook.reach);
}

// Sets free the bremsstrahlung photon that a particle emits on its way to rest, with a probability equal to the mean
// number of photons still to come. Returns its energy [MeV]; 0 for none.
fn last_photon_mev(
    walk: ptr<function, Walk>, stream: ptr<function, Stream>, kind: u32, energy_mev: f32, reach: Reach,
) -> f32 {
    if reach.photons_to_rest <= 0.0 { return 0.0; }
    if next_uniform(stream) >= reach.photons_to_rest { return 0.0; }
    let table = charge_table(walk.medium.material, kind);
    let emitter = emitter_mev(energy_mev, table, reach.photons_to_rest, stream);
    if emitter <= params.photon_mev { return 0.0; }
    let photon = bremsstrahlung(emitter, params.photon_mev, spectra_first(table), stream);
    push(walk, stream, PHOTON, photon.energy_mev, isotropic(stream));
    return photon.energy_mev;
}
