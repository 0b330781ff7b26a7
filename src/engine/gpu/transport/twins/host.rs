//! The tests of `shaders/tests/twins.wgsl` on the CPU.

use super::{Case, Outcome, Twin};
use crate::domain::emission::Particle;
use crate::engine::cpu::transport::absorption::{attenuation, fluorescence_mev};
use crate::engine::cpu::transport::collision::{Emerging, annihilation, bhabha, bremsstrahlung, moller};
use crate::engine::cpu::transport::deflection::{angular_deflection, soft_loss};
use crate::engine::cpu::transport::geometry::{Position, Ray, cell_of, medium_of, turned};
use crate::engine::cpu::transport::history::{Shift, decay};
use crate::engine::cpu::transport::lookup::{number, place};
use crate::engine::cpu::transport::random::{Stream, threefry};
use crate::engine::cpu::transport::sampling::{isotropic, next_azimuth, next_paths};
use crate::engine::cpu::transport::scatter::{coherent_cosine, compton, pair_cosine, photoelectron_cosine};
use crate::engine::cpu::transport::step::{charge_table, emitter_mev, plan_step, reach_at};
use crate::prepare::transport::{Scene, sequence};

/// What the twin on the CPU returns.
pub(super) fn outcome(twin: Twin, case: &Case, scene: &Scene) -> Outcome {
    let mut stream = Stream::new(case.key, case.id);
    for _ in 0..case.drawn {
        stream.next_word();
    }
    let outcome = match twin {
        Twin::Threefry => halves(threefry(case.key, [case.id, 1, 2, 3])),
        Twin::Sampling => sampling(&mut stream),
        Twin::Lookup | Twin::Step | Twin::Absorption => tables(twin, case, scene, &mut stream),
        Twin::Face | Twin::Ray | Twin::Turned | Twin::Medium => geometry(twin, case, scene),
        Twin::Source | Twin::Shift => source(twin, case, scene, &mut stream),
        Twin::Deflection | Twin::Moller | Twin::Bhabha | Twin::Bremsstrahlung | Twin::Annihilation => {
            charged(twin, case, scene, &mut stream)
        }
        Twin::Compton | Twin::Coherent | Twin::ElectronAngles => photon(twin, case, scene, &mut stream),
    };
    outcome.with_stream(&stream)
}

fn values(some: &[f32]) -> Outcome {
    let mut all = [0.0; 8];
    all[..some.len()].copy_from_slice(some);
    Outcome { values: all, ..Outcome::default() }
}

fn words_and(x: u32, y: u32, some: &[f32]) -> Outcome {
    Outcome { words: [x, y, 0, 0], ..values(some) }
}

/// Whole words, to the last bit: single precision holds their halves.
fn halves(words: [u32; 4]) -> Outcome {
    let mut all = [0.0; 8];
    for (i, word) in words.into_iter().enumerate() {
        all[i] = (word & 0xFFFF) as f32;
        all[4 + i] = (word >> 16) as f32;
    }
    values(&all)
}

fn word(n: usize) -> u32 {
    u32::try_from(n).expect("few")
}

fn sampling(stream: &mut Stream) -> Outcome {
    let word = stream.next_word();
    let uniform = stream.next_uniform();
    let [x, y] = next_azimuth(stream);
    let paths = next_paths(stream);
    let [u, v, w] = isotropic(stream);
    words_and(word, 0, &[uniform, x, y, paths, u, v, w])
}

fn tables(twin: Twin, case: &Case, scene: &Scene, stream: &mut Stream) -> Outcome {
    let [a, b, c, ..] = case.given;
    let material = case.material as usize;
    match twin {
        Twin::Lookup => {
            let found = place(a);
            words_and(word(found.node), 0, &[found.fraction, number(found.node, b)])
        }
        Twin::Step => {
            let kind = if case.id & 1 == 1 { Particle::Positron } else { Particle::Electron };
            let nodes = scene.reach(material, charge_table(kind));
            let reach = reach_at(a, nodes);
            let step = plan_step(a, scene.step(material, charge_table(kind)), reach, b);
            let emitter = emitter_mev(a, nodes, reach.photons_to_rest, stream);
            let node = step.node;
            let first = [step.path, step.loss_mev, step.interactions, reach.csda_range];
            let second = [emitter, node.soft_variance, node.first_transport, node.second_transport];
            words_and(u32::from(step.is_hard), 0, &[first, second].concat())
        }
        _ => {
            let (total, absorption) = attenuation(scene.attenuation(material), place(a));
            let fluorescence = fluorescence_mev(a, scene.k_shells(material), [b, c], stream);
            values(&[fluorescence, total, absorption])
        }
    }
}

fn geometry(twin: Twin, case: &Case, scene: &Scene) -> Outcome {
    let [a, b, c, d, e, f, g, h] = case.given;
    let (grid, direction) = (&scene.grid, [d, e, f]);
    let voxel = i32::try_from(case.id).unwrap_or(0);
    let mut at = Position { cell: cell_of(voxel, grid), local_cm: [a, b, c], direction };
    match twin {
        Twin::Face => {
            let before = at;
            let face = at.next_face(grid);
            let surface = at.nearest_surface_cm(grid);
            let is_inside = at.cross_face(face, grid);
            let index = if is_inside { at.voxel_index(grid) } else { before.voxel_index(grid) };
            let [x, y, z] = at.local_cm;
            words_and(word(index), u32::from(is_inside), &[face.distance_cm, surface, 0.0, 0.0, x, y, z])
        }
        Twin::Ray => {
            let mut ray = Ray::new(&at, grid);
            let first = ray.face();
            ray.beyond(first);
            let second = ray.face();
            ray.end(g * second.distance_cm, &mut at, grid);
            let [x, y, z] = at.local_cm;
            values(&[first.distance_cm, second.distance_cm, 0.0, 0.0, x, y, z])
        }
        Twin::Turned => values(&turned(direction, a, [g, h])),
        _ => {
            let found = medium_of(scene.medium[case.id as usize]);
            words_and(word(found.material), 0, &[found.density_g_cm3])
        }
    }
}

fn source(twin: Twin, case: &Case, scene: &Scene, stream: &mut Stream) -> Outcome {
    if twin == Twin::Shift {
        let Shift { place, emission: [charged, photon] } = Shift::of(scene.seed, case.id);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
        return halves([place as u32, (place >> 32) as u32, charged, photon]);
    }
    let [low, high, charged, photon] = case.key;
    let shift = Shift { place: u64::from(high) << 32 | u64::from(low), emission: [charged, photon] };
    let slot = &scene.emissions.slots[case.material as usize];
    let energy_mev = scene.emissions.slot_energy_mev(slot, shift.slot_place(slot, case.id)).unwrap_or(-1.0);
    let voxel = scene.source.source_voxel(sequence::activity_place(case.id, shift.place));
    let at = decay(scene, case.id, shift, stream);
    let [x, y, z] = at.local_cm;
    words_and(voxel, word(at.voxel_index(&scene.grid)), &[energy_mev, slot.weight, 0.0, 0.0, x, y, z])
}

fn charged(twin: Twin, case: &Case, scene: &Scene, stream: &mut Stream) -> Outcome {
    let [a, b, c, d, ..] = case.given;
    let emerging = |of: Emerging| values(&[of.energy_mev, of.cosine, of.deflection_cosine]);
    match twin {
        Twin::Deflection => {
            let mu = angular_deflection(a, b, stream);
            values(&[mu, soft_loss(c, d, stream)])
        }
        Twin::Moller => emerging(moller(a, b, stream)),
        Twin::Bhabha => emerging(bhabha(a, b, stream)),
        Twin::Bremsstrahlung => {
            let spectra = scene.spectra(case.material as usize, charge_table(Particle::Electron));
            emerging(bremsstrahlung(a, b, spectra, stream))
        }
        _ => {
            let [(first, cosine), (second, other)] = annihilation(a, stream);
            values(&[first, second, cosine, other])
        }
    }
}

fn photon(twin: Twin, case: &Case, scene: &Scene, stream: &mut Stream) -> Outcome {
    let [a, b, ..] = case.given;
    let factors = scene.form_factors(case.material as usize);
    match twin {
        Twin::Compton => {
            let scattered = compton(a, factors, stream);
            values(&[scattered.photon_mev, scattered.cosine, scattered.electron_cosine])
        }
        Twin::Coherent => values(&[coherent_cosine(a, factors, stream)]),
        _ => {
            let cosine = photoelectron_cosine(a, stream);
            values(&[cosine, pair_cosine(b, stream)])
        }
    }
}
