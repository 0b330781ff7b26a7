// The life of a photon: flight with the exact attenuation of each voxel on its way, then an interaction.
// Twin, by whole histories: src/engine/cpu/transport/photon.rs
#import transport
#import random
#import lookup
#import geometry
#import sampling
#import scatter
#import score
#import history
#import absorption
#import rest

// What is left to fly at least [mean free paths]: a device that reassociates sums must not make it 0 or less, which
// mean that nothing is drawn or that the photon has arrived.
const LEAST_PATHS: f32 = 1e-30;

// Follows a photon over some faces and interactions. Whether it is still on its way.
fn run_photon(walk: ptr<function, Walk>, stream: ptr<function, Stream>, score: ptr<function, Score>) -> bool {
    var left = params.photon_steps;
    while left > 0u {
        walk.by_track_length = walk.track.energy_mev < params.track_length_mev;
        if walk.track.to_next == 0.0 {
            if walk.track.energy_mev < params.photon_mev {
                deposit(score, walk.voxel, walk.track.weight * walk.track.energy_mev);
                return false;
            }
            walk.track.to_next = next_paths(stream);
            walk.track.at.local_cm = kept(walk.track.at, ray_to_faces(walk.track.at));
        }
        if walk.track.to_next > 0.0 {
            let flight = fly_photon(walk, score, left);
            if !flight.is_inside {
                escape(score, walk.track.weight * walk.track.energy_mev);
                return false;
            }
            left = flight.left;
        }
        if walk.track.to_next < 0.0 {
            if walk.room_charged < 2u || walk.room_photons < 2u { return true; }
            walk.track.to_next = 0.0;
            if !interact_photon(walk, stream, score) { return false; }
            left -= min(left, 1u);
        }
    }
    return true;
}

struct PhotonFlight {
    is_inside: bool,
    left: u32, // faces that it may still meet in this cycle
}

// Flies to the next interaction, or as far as it may in this cycle. `to_next` is below 0 once the photon is there.
// Until then, the particle keeps the distances to the faces in place of where it is in its voxel.
fn fly_photon(walk: ptr<function, Walk>, score: ptr<function, Score>, faces: u32) -> PhotonFlight {
    let at = place(walk.track.energy_mev);
    var coefficients = attenuation(walk.medium.material, at);
    var ray = ray_of(walk.track.at);
    for (var left = faces; left > 0u; left--) {
        let face = ray_face(ray);
        let density = walk.medium.density_g_cm3;
        let total = coefficients.x;
        let across = face.distance_cm * density * total;
        let is_here = across >= walk.track.to_next;
        var path = face.distance_cm * density;
        if is_here { path = walk.track.to_next / total; }
        if walk.by_track_length {
            score_track(score, walk.voxel, walk.track.weight * walk.track.energy_mev * coefficients.y * path);
        }
        if is_here {
            walk.track.at.local_cm = ray_end(ray, path / density, walk.track.at);
            walk.track.to_next = -1.0;
            return PhotonFlight(true, left);
        }
        walk.track.to_next = max(walk.track.to_next - across, LEAST_PATHS);
        ray = ray_beyond(ray, face);
        let crossing = enter_next(walk.track.at, face.axis);
        if !crossing.is_inside { return PhotonFlight(false, left); }
        walk.track.at = crossing.at;
        walk.voxel = voxel_index(walk.track.at.cell);
        let before = walk.medium.material;
        walk.medium = medium_of(medium[walk.voxel]);
        if walk.medium.material != before { coefficients = attenuation(walk.medium.material, at); }
    }
    walk.track.at.local_cm = kept(walk.track.at, ray.to_face_cm);
    return PhotonFlight(true, 0u);
}

// An interaction. False: the photon has ended.
fn interact_photon(walk: ptr<function, Walk>, stream: ptr<function, Stream>, score: ptr<function, Score>) -> bool {
    let at = place(walk.track.energy_mev);
    let first = params.attenuation_first + 2u * (walk.medium.material * NODES + at.node);
    let a = rows_between(row(first), row(first + 2u), at.fraction);
    let b = rows_between(row(first + 1u), row(first + 3u), at.fraction);
    let choice = next_uniform(stream);
    if choice < a.z {
        photoelectric(walk, stream, score, b.yz);
        return false;
    }
    if choice < a.w {
        incoherent_scattering(walk, stream, score);
        return true;
    }
    if choice < b.x || walk.track.energy_mev <= 2.0 * ELECTRON_REST_MEV {
        let cosine = coherent_cosine(walk.track.energy_mev, walk.medium.material, stream);
        walk.track.at.direction = turned(walk.track.at.direction, cosine, next_azimuth(stream));
        return true;
    }
    pair(walk, stream, score);
    return false;
}

// Absorption: an electron, and perhaps a photon of the K shell.
fn photoelectric(
    walk: ptr<function, Walk>, stream: ptr<function, Stream>, score: ptr<function, Score>, k_part: vec2<f32>,
) {
    let fluorescence = fluorescence_mev(walk.track.energy_mev, walk.medium.material, k_part, stream);
    if fluorescence > 0.0 { push(walk, stream, PHOTON, fluorescence, isotropic(stream)); }
    let kinetic_mev = walk.track.energy_mev - fluorescence;
    if absorbs_electron(walk, stream, score, kinetic_mev) { return; }
    let cosine = photoelectron_cosine(kinetic_mev, stream);
    set_free(walk, stream, ELECTRON, kinetic_mev, cosine, next_azimuth(stream));
}

// Compton scattering of the photon.
fn incoherent_scattering(walk: ptr<function, Walk>, stream: ptr<function, Stream>, score: ptr<function, Score>) {
    let scattered = compton(walk.track.energy_mev, walk.medium.material, stream);
    let azimuth = next_azimuth(stream);
    let electron_mev = walk.track.energy_mev - scattered.photon_mev;
    if !absorbs_electron(walk, stream, score, electron_mev) {
        set_free(walk, stream, ELECTRON, electron_mev, scattered.electron_cosine, -azimuth);
    }
    walk.track.at.direction = turned(walk.track.at.direction, scattered.cosine, azimuth);
    walk.track.energy_mev = scattered.photon_mev;
}

// A pair in place of the photon.
fn pair(walk: ptr<function, Walk>, stream: ptr<function, Stream>, score: ptr<function, Score>) {
    let shared_mev = walk.track.energy_mev - 2.0 * ELECTRON_REST_MEV;
    let electron_mev = shared_mev * next_uniform(stream);
    let azimuth = next_azimuth(stream);
    if !absorbs_electron(walk, stream, score, electron_mev) {
        let electron_cosine = pair_cosine(electron_mev, stream);
        set_free(walk, stream, ELECTRON, electron_mev, electron_cosine, azimuth);
    }
    let positron_mev = shared_mev - electron_mev;
    if walk.by_track_length {
        absorb(score, walk.track.weight * positron_mev);
        annihilate_at_rest(walk, stream);
        return;
    }
    let positron_cosine = pair_cosine(positron_mev, stream);
    set_free(walk, stream, POSITRON, positron_mev, positron_cosine, -azimuth);
}

// Absorbs an electron of this energy at once, if its photon's track is scored or if it goes no farther.
fn absorbs_electron(
    walk: ptr<function, Walk>, stream: ptr<function, Stream>, score: ptr<function, Score>, energy_mev: f32,
) -> bool {
    if walk.by_track_length {
        absorb(score, walk.track.weight * energy_mev);
        return true;
    }
    let stays_mev = absorbed_mev(walk, stream, energy_mev);
    if stays_mev < 0.0 { return false; }
    deposit(score, walk.voxel, walk.track.weight * stays_mev);
    return true;
}

// Sets a charged particle free.
fn set_free(
    walk: ptr<function, Walk>, stream: ptr<function, Stream>, kind: u32, kinetic_mev: f32, cosine: f32,
    azimuth: vec2<f32>,
) {
    push(walk, stream, kind, kinetic_mev, turned(walk.track.at.direction, cosine, azimuth));
}
