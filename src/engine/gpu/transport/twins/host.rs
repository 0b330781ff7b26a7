//! The tests of `shaders/checks/twins.wgsl` on the CPU.

use super::{Case, Outcome, Twin};
use crate::domain::emission::Particle;
use crate::engine::cpu::transport::absorption::{attenuation, fluorescence_mev};
use crate::engine::cpu::transport::collision::{Emerging, annihilation, bhabha, bremsstrahlung, moller};
use crate::engine::cpu::transport::deflection::{angular_deflection, soft_loss};
use crate::engine::cpu::transport::geometry::{Position, Ray, cell_of, medium_of, turned};
use crate::engine::cpu::transport::history::{Shift, decay, emitted_direction, turn_of};
use crate::engine::cpu::transport::lookup::{number, place};
use crate::engine::cpu::transport::random::{Stream, threefry, unit_pair};
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
        Twin::Lookup => lookup(case),
        Twin::Face => face(case, scene),
        Twin::Ray => ray(case, scene),
        Twin::Turned => values(&turned(position(case, scene).direction, case.given[0], [case.given[6], case.given[7]])),
        Twin::Medium => medium(case, scene),
        Twin::Deflection => deflection(case, &mut stream),
        Twin::Moller => emerging(moller(case.given[0], case.given[1], &mut stream)),
        Twin::Bhabha => emerging(bhabha(case.given[0], case.given[1], &mut stream)),
        Twin::Bremsstrahlung => photon_of_electron(case, scene, &mut stream),
        Twin::Annihilation => photons_of_positron(case, &mut stream),
        Twin::Compton => scattered(case, scene, &mut stream),
        Twin::Coherent => {
            let factors = scene.form_factors(case.material as usize);
            values(&[coherent_cosine(case.given[0], factors, &mut stream)])
        }
        Twin::ElectronAngles => electron_angles(case, &mut stream),
        Twin::Step => step(case, scene, &mut stream),
        Twin::Absorption => absorption(case, scene, &mut stream),
        Twin::Source => source(case, scene),
        Twin::Shift => shift(case, scene),
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

fn lookup(case: &Case) -> Outcome {
    let found = place(case.given[0]);
    words_and(word(found.node), 0, &[found.fraction, number(found.node, case.given[1])])
}

fn step(case: &Case, scene: &Scene, stream: &mut Stream) -> Outcome {
    let [energy_mev, to_interaction, ..] = case.given;
    let kind = if case.id & 1 == 1 { Particle::Positron } else { Particle::Electron };
    let (material, charge) = (case.material as usize, charge_table(kind));
    let nodes = scene.reach(material, charge);
    let reach = reach_at(energy_mev, nodes);
    let step = plan_step(energy_mev, scene.step(material, charge), reach, to_interaction);
    let emitter = emitter_mev(energy_mev, nodes, reach.photons_to_rest, stream);
    let node = step.node;
    let first = [step.path, step.loss_mev, step.interactions, reach.csda_range];
    let second = [emitter, node.soft_variance, node.second_transport, node.third_transport];
    words_and(u32::from(step.is_hard), 0, &[first, second].concat())
}

fn absorption(case: &Case, scene: &Scene, stream: &mut Stream) -> Outcome {
    let [energy_mev, first, second, ..] = case.given;
    let material = case.material as usize;
    let (total, absorption) = attenuation(scene.attenuation(material), place(energy_mev));
    let fluorescence = fluorescence_mev(energy_mev, scene.k_shells(material), [first, second], stream);
    values(&[fluorescence, total, absorption])
}

fn position(case: &Case, scene: &Scene) -> Position {
    let [x, y, z, u, v, w, ..] = case.given;
    let voxel = i32::try_from(case.id).unwrap_or(0);
    Position { cell: cell_of(voxel, &scene.grid), local_cm: [x, y, z], direction: [u, v, w] }
}

fn face(case: &Case, scene: &Scene) -> Outcome {
    let before = position(case, scene);
    let (mut at, grid) = (before, &scene.grid);
    let face = at.next_face(grid);
    let surface = at.nearest_surface_cm(grid);
    let is_inside = at.cross_face(face, grid);
    let index = if is_inside { at.voxel_index(grid) } else { before.voxel_index(grid) };
    let [x, y, z] = at.local_cm;
    words_and(word(index), u32::from(is_inside), &[face.distance_cm, surface, 0.0, 0.0, x, y, z])
}

fn ray(case: &Case, scene: &Scene) -> Outcome {
    let mut at = position(case, scene);
    let mut ray = Ray::new(&at, &scene.grid);
    let first = ray.face();
    ray.beyond(first);
    let second = ray.face();
    ray.end(case.given[6] * second.distance_cm, &mut at, &scene.grid);
    let [x, y, z] = at.local_cm;
    values(&[first.distance_cm, second.distance_cm, 0.0, 0.0, x, y, z])
}

fn medium(case: &Case, scene: &Scene) -> Outcome {
    let found = medium_of(scene.medium[case.id as usize]);
    words_and(word(found.material), 0, &[found.density_g_cm3])
}

fn deflection(case: &Case, stream: &mut Stream) -> Outcome {
    let [first, second, third, mean, variance, ..] = case.given;
    let choice = stream.next_uniform();
    let [xi, other] = unit_pair(stream.next_word());
    values(&[angular_deflection([first, second, third], choice, xi), soft_loss(mean, variance, other)])
}

fn emerging(of: Emerging) -> Outcome {
    values(&[of.energy_mev, of.cosine, of.deflection_cosine])
}

fn photon_of_electron(case: &Case, scene: &Scene, stream: &mut Stream) -> Outcome {
    let spectra = scene.spectra(case.material as usize, charge_table(Particle::Electron));
    emerging(bremsstrahlung(case.given[0], case.given[1], spectra, stream))
}

fn photons_of_positron(case: &Case, stream: &mut Stream) -> Outcome {
    let [(first, cosine), (second, other)] = annihilation(case.given[0], stream);
    values(&[first, second, cosine, other])
}

fn scattered(case: &Case, scene: &Scene, stream: &mut Stream) -> Outcome {
    let scattered = compton(case.given[0], scene.form_factors(case.material as usize), stream);
    values(&[scattered.photon_mev, scattered.cosine, scattered.electron_cosine])
}

fn electron_angles(case: &Case, stream: &mut Stream) -> Outcome {
    let cosine = photoelectron_cosine(case.given[0], stream);
    values(&[cosine, pair_cosine(case.given[1], stream)])
}

fn source(case: &Case, scene: &Scene) -> Outcome {
    let [low, high, charged, photon] = case.key;
    let place = u64::from(high) << 32 | u64::from(low);
    let shift = Shift { place, emission: [charged, photon], aside: [[photon, charged], [high, low]] };
    let slot = &scene.emissions.slots[case.material as usize];
    let energy_mev = scene.emissions.slot_energy_mev(slot, shift.slot_place(slot, case.id)).unwrap_or(-1.0);
    let (voxel, part) = scene.source.source_voxel(sequence::activity_place(case.id, shift.place));
    let digits = sequence::further_digits(case.id);
    let at = decay(scene, case.id, digits, shift);
    let [x, y, z] = at.local_cm;
    let [u, v, w] = emitted_direction(at.direction, digits, [[high, low], [photon, charged]]);
    words_and(voxel, word(at.voxel_index(&scene.grid)), &[energy_mev, slot.weight + part, u, v, x, y, z, w])
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
fn shift(case: &Case, scene: &Scene) -> Outcome {
    let Shift { place, emission: [charged, photon], aside } = Shift::of(scene.seed, case.id);
    let mut words = [place as u32, (place >> 32) as u32, charged, photon];
    if case.drawn & 1 == 1 {
        words = flat(aside);
    }
    if case.drawn & 2 == 2 {
        let turn = flat(turn_of(scene.seed, case.id, case.material));
        words = std::array::from_fn(|i| words[i] ^ turn[i]);
    }
    halves(words)
}

fn flat([[a, b], [c, d]]: [[u32; 2]; 2]) -> [u32; 4] {
    [a, b, c, d]
}
