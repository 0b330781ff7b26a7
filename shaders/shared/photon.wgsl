// The life of a photon: flight with the exact attenuation of each voxel on its way, then an interaction. Twin: src/engine/cpu/transport/photon.rs

// Whether the track is scored, and not what it sets free.
var<private> by_track: bool;

// Follows a photon over some faces and interactions. Whether it is still on its way.
fn run_photon() -> bool {
    var left = params.photon_steps;
    while left > 0u {
        by_track = particle.energy_mev < params.track_length_mev;
        if particle.to_next == 0.0 {
            if particle.energy_mev < params.photon_mev {
                deposit(voxel, particle.weight * particle.energy_mev);
                return false;
            }
            particle.to_next = next_paths();
            particle.at.local_cm = kept(particle.at, ray_to_faces(particle.at));
        }
        if particle.to_next > 0.0 {
            let flight = fly_photon(left);
            if !flight.is_inside {
                escape(particle.weight * particle.energy_mev);
                return false;
            }
            left = flight.left;
        }
        if particle.to_next < 0.0 {
            if room_charged < 2u || room_photons < 2u { return true; }
            particle.to_next = 0.0;
            if !interact_photon() { return false; }
            left -= min(left, 1u);
        }
    }
    return true;
}

struct PhotonFlight {
    is_inside: bool,
    left: u32, // faces that it may still meet in this cycle
}

// Flies to the next interaction, or as far as it may in this cycle. Once there, the way to go is below 0. Until then,
// the particle keeps the distances to the faces in place of where it is in its voxel.
fn fly_photon(faces: u32) -> PhotonFlight {
    let at = place(particle.energy_mev);
    var coefficients = attenuation(here.material, at);
    var ray = ray_of(particle.at);
    for (var left = faces; left > 0u; left--) {
        let face = ray_face(ray);
        let density = here.density_g_cm3;
        let total = coefficients.x;
        let across = face.distance_cm * density * total;
        let is_here = across >= particle.to_next;
        var path = face.distance_cm * density;
        if is_here { path = particle.to_next / total; }
        if by_track { score_track(voxel, particle.weight * particle.energy_mev * coefficients.y * path); }
        if is_here {
            particle.at.local_cm = ray_end(ray, path / density, particle.at);
            particle.to_next = -1.0;
            return PhotonFlight(true, left);
        }
        particle.to_next -= across;
        ray = ray_beyond(ray, face);
        let crossing = enter_next(particle.at, face.axis);
        if !crossing.is_inside { return PhotonFlight(false, left); }
        particle.at = crossing.at;
        voxel = voxel_index(particle.at.cell);
        let before = here.material;
        here = medium_of(medium[voxel]);
        if here.material != before { coefficients = attenuation(here.material, at); }
    }
    particle.at.local_cm = kept(particle.at, ray.to_face_cm);
    return PhotonFlight(true, 0u);
}

// Mass attenuation and energy-absorption coefficients [cm²/g].
fn attenuation(material: u32, at: Place) -> vec2<f32> {
    let first = params.attenuation_first + 2u * (material * NODES + at.node);
    return rows_between(row(first), row(first + 2u), at.fraction).xy;
}

// An interaction. False: the photon is no more.
fn interact_photon() -> bool {
    let at = place(particle.energy_mev);
    let first = params.attenuation_first + 2u * (here.material * NODES + at.node);
    let a = rows_between(row(first), row(first + 2u), at.fraction);
    let b = rows_between(row(first + 1u), row(first + 3u), at.fraction);
    let choice = next_uniform();
    if choice < a.z {
        photoelectric(b.yz);
        return false;
    }
    if choice < a.w {
        incoherent_scattering();
        return true;
    }
    if choice < b.x || particle.energy_mev <= 2.0 * ELECTRON_REST_MEV {
        let cosine = coherent_cosine(particle.energy_mev, here.material);
        particle.at.direction = turned(particle.at.direction, cosine, next_azimuth());
        return true;
    }
    pair();
    return false;
}

// Absorption: an electron, and perhaps a photon of the K shell.
fn photoelectric(k_part: vec2<f32>) {
    let fluorescence = fluorescence_mev(k_part);
    if fluorescence > 0.0 { push(PHOTON, fluorescence, at_with(isotropic())); }
    let kinetic_mev = particle.energy_mev - fluorescence;
    var cosine = 1.0;
    if !by_track && kinetic_mev > 0.0 { cosine = photoelectron_cosine(kinetic_mev); }
    set_free(ELECTRON, kinetic_mev, cosine, next_azimuth());
}

// Energy of the photon that follows an absorption in a K shell; 0 for none.
fn fluorescence_mev(k_part: vec2<f32>) -> f32 {
    if k_part.x <= 0.0 && k_part.y <= 0.0 { return 0.0; }
    var choice = next_uniform();
    let first = row(params.k_shells_first + 2u * here.material);
    let lit = k_part.x * first.x;
    if choice < lit { return line_mev(first, choice, lit); }
    choice -= lit;
    let second = row(params.k_shells_first + 2u * here.material + 1u);
    let lit_second = k_part.y * second.x;
    if choice < lit_second { return line_mev(second, choice, lit_second); }
    return 0.0;
}

// The line of a shell: its yield, the part of Kα, the energies of Kα and Kβ.
fn line_mev(shell: vec4<f32>, choice: f32, lit: f32) -> f32 {
    let energy_mev = select(shell.w, shell.z, choice < lit * shell.y);
    // Above the edge, but for the grain of the tables.
    return select(0.0, energy_mev, energy_mev < particle.energy_mev);
}

fn incoherent_scattering() {
    let scattered = compton(particle.energy_mev, here.material);
    let azimuth = next_azimuth();
    set_free(ELECTRON, particle.energy_mev - scattered.photon_mev, scattered.electron_cosine, -azimuth);
    particle.at.direction = turned(particle.at.direction, scattered.cosine, azimuth);
    particle.energy_mev = scattered.photon_mev;
}

fn pair() {
    let shared_mev = particle.energy_mev - 2.0 * ELECTRON_REST_MEV;
    let electron_mev = shared_mev * next_uniform();
    let azimuth = next_azimuth();
    let electron_cosine = pair_cosine(electron_mev);
    set_free(ELECTRON, electron_mev, electron_cosine, azimuth);
    let positron_cosine = pair_cosine(shared_mev - electron_mev);
    set_free(POSITRON, shared_mev - electron_mev, positron_cosine, -azimuth);
}

// Sets a charged particle free; where the track is scored, it stops at once.
fn set_free(kind: u32, kinetic_mev: f32, cosine: f32, azimuth: vec2<f32>) {
    if by_track {
        absorb(particle.weight * kinetic_mev);
        if kind == POSITRON { annihilate_at_rest(); }
    } else {
        push(kind, kinetic_mev, at_with(turned(particle.at.direction, cosine, azimuth)));
    }
}
