//! Each body of transport on the device against its twin on the CPU: the same random words, energies, directions.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::constants::constants;
use super::device_scene::DeviceScene;
use super::device_tests::{everything, layers, shared_session};
use crate::engine::cpu::transport::collision::{Emerging, annihilation, bhabha, bremsstrahlung, moller};
use crate::engine::cpu::transport::deflection::{half_versine, soft_loss};
use crate::engine::cpu::transport::geometry::{Position, Ray, medium_of, turned};
use crate::engine::cpu::transport::lookup::{number, place};
use crate::engine::cpu::transport::random::{Stream, threefry};
use crate::engine::cpu::transport::sampling::{azimuth, isotropic};
use crate::engine::cpu::transport::scatter::{coherent, compton, pair_cosine, photoelectron_cosine};
use crate::engine::gpu::context::Pipeline;
use crate::engine::gpu::session::Session;
use crate::engine::gpu::shader::TWINS;
use crate::prepare::transport::Scene;
use crate::prepare::transport::sequence;

/// Cases of each body.
const CASES: usize = 4096;
/// Numbers of bodies, those of `shaders/tests/twins.wgsl`.
const BODIES: [(u32, &str); 16] = [
    (0, "threefry"),
    (1, "sampling"),
    (2, "place, number"),
    (3, "next_face, cross_face"),
    (4, "turned"),
    (5, "half_versine, soft_loss"),
    (6, "moller"),
    (7, "bhabha"),
    (8, "bremsstrahlung"),
    (9, "annihilation"),
    (10, "compton"),
    (11, "coherent_cosine"),
    (12, "photoelectron_cosine, pair_cosine"),
    (13, "medium_of"),
    (14, "source, emissions"),
    (15, "ray"),
];
/// Largest relative difference of two values: some units of single precision, for a device's logarithms, powers and roots are off by a few.
const TOLERANCE: f32 = 1e-5;
/// Largest difference of two cosines or their squares: where a cosine, or its square, is a difference of larger numbers. That of a Compton photon of
/// 11 keV follows from its energy loss, of which a rounding error is 46 times as large in the cosine.
const COSINE_TOLERANCE: f32 = 3e-5;
/// Cases that may draw another number of words: where a value lies within rounding of the edge of a rejection.
const STRAYING: usize = CASES / 500;

/// As in `shaders/tests/twins.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Case {
    key: [u32; 4],
    body: u32,
    id: u32,
    material: u32,
    drawn: u32,
    given: [f32; 8],
}

/// What a body returned; the last word is the number of words drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Outcome {
    words: [u32; 4],
    values: [f32; 8],
}

/// Random inputs of a body, over all energies and directions.
fn case(body: u32, scene: &Scene, rng: &mut ChaCha8Rng) -> Case {
    let mut uniform = || rng.random::<f32>();
    let direction = loop {
        let [x, y, z] = [uniform(), uniform(), uniform()].map(|u| 2.0 * u - 1.0);
        let square = x * x + y * y + z * z;
        if square < 1.0 && square > 1e-3 {
            break [x, y, z].map(|u| u / square.sqrt());
        }
    };
    let [u, v] = [uniform(), uniform()];
    let turn = std::f32::consts::TAU * uniform();
    let energy = 0.011 * 900f32.powf(u);
    let spacing = scene.grid.spacing_cm;
    let given = match body {
        2 => [1e-4 * 1e6f32.powf(u), v, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        3 | 15 => {
            let [x, y, z] = [u * spacing[0], v * spacing[1], uniform() * spacing[2]];
            // Some fly along an axis.
            let [a, b, c] = if u < 0.1 { [0.0, -1.0, 0.0] } else { direction };
            [x, y, z, a, b, c, uniform(), 0.0]
        }
        4 => [2.0 * v - 1.0, 0.0, 0.0, direction[0], direction[1], direction[2], turn.cos(), turn.sin()],
        5 => [1e-3 + 0.2 * u, 2e-3 + 0.5 * u, 0.1 * v, 1e-4 * uniform(), 0.0, 0.0, 0.0, 0.0],
        6..=8 => [energy, energy * (0.01 + 0.4 * v), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        _ => [energy, 0.02 + energy * v, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    };
    let ids = match body {
        3 | 13 | 15 => u32::try_from(scene.medium.len()).expect("few"),
        _ => u32::MAX,
    };
    let material = if body == 14 { scene.emissions.slots.len() } else { 3 };
    Case {
        key: rng.random(),
        body,
        id: rng.random_range(0..ids),
        material: rng.random_range(0..u32::try_from(material).expect("few")),
        drawn: rng.random_range(0..8),
        given,
    }
}

/// The twin on the CPU.
fn on_cpu(case: &Case, scene: &Scene) -> Outcome {
    let mut stream = Stream::new(case.key, case.id);
    for _ in 0..case.drawn {
        stream.word();
    }
    let [a, b, c, d, e, f, g, h] = case.given;
    let material = case.material as usize;
    let voxel = i32::try_from(case.id).unwrap_or(0);
    let [nx, ny, _] = scene.grid.shape;
    let cell = [voxel % nx, voxel / nx % ny, voxel / nx / ny];
    let mut at = Position { cell, local_cm: [a, b, c], direction: [d, e, f] };
    let values = |some: &[f32]| {
        let mut all = [0.0; 8];
        all[..some.len()].copy_from_slice(some);
        Outcome { values: all, ..Outcome::default() }
    };
    let emerging = |of: Emerging| values(&[of.energy_mev, of.cosine, of.deflection_cosine]);
    match case.body {
        0 => Outcome { words: threefry(case.key, [case.id, 1, 2, 3]), ..Outcome::default() },
        1 => {
            let word = stream.word();
            let uniform = stream.uniform();
            let [x, y] = azimuth(&mut stream);
            let paths = -stream.uniform().ln();
            let [u, v, w] = isotropic(&mut stream);
            Outcome { words: [word, 0, 0, 0], ..values(&[uniform, x, y, paths, u, v, w]) }
        }
        2 => {
            let found = place(a);
            let node = u32::try_from(found.node).expect("few");
            Outcome { words: [node, 0, 0, 0], ..values(&[found.fraction, number(found.node, b)]) }
        }
        3 => {
            let before = at;
            let face = at.next_face(&scene.grid);
            let surface = at.nearest_surface_cm(&scene.grid);
            let is_inside = at.cross(face, &scene.grid);
            let index = if is_inside { at.index(&scene.grid) } else { before.index(&scene.grid) };
            let [x, y, z] = at.local_cm;
            let words = [u32::try_from(index).expect("few"), u32::from(is_inside), 0, 0];
            Outcome { words, ..values(&[face.distance_cm, surface, 0.0, 0.0, x, y, z]) }
        }
        4 => values(&turned(at.direction, a, [g, h])),
        5 => {
            let versine = half_versine(a, b, &mut stream);
            values(&[versine, soft_loss(c, d, &mut stream)])
        }
        6 => emerging(moller(a, b, &mut stream)),
        7 => emerging(bhabha(a, b, &mut stream)),
        8 => emerging(bremsstrahlung(a, b, scene.spectra(material, 0), &mut stream)),
        9 => {
            let [(first, cosine), (second, other)] = annihilation(a, &mut stream);
            values(&[first, second, cosine, other])
        }
        10 => {
            let scattered = compton(a, scene.form_factors(material), &mut stream);
            values(&[scattered.photon_mev, scattered.cosine, scattered.electron_cosine])
        }
        11 => values(&[coherent(a, scene.form_factors(material), &mut stream)]),
        12 => {
            let cosine = photoelectron_cosine(a, &mut stream);
            values(&[cosine, pair_cosine(b, &mut stream)])
        }
        13 => {
            let found = medium_of(scene.medium[case.id as usize]);
            let material = u32::try_from(found.material).expect("few");
            Outcome { words: [material, 0, 0, 0], ..values(&[found.density_g_cm3]) }
        }
        14 => {
            let [low, high, charged, photon] = case.key;
            let shift = u64::from(high) << 32 | u64::from(low);
            let place = sequence::place(case.id, shift);
            let slot = &scene.emissions.slots[material];
            let is_photon = slot.particle == crate::domain::emission::Particle::Photon;
            let shift = if is_photon { photon } else { charged };
            let in_slot = sequence::emission(case.id, shift);
            let energy_mev = scene.emissions.energy_mev(slot, in_slot).unwrap_or(-1.0);
            Outcome { words: [scene.source.voxel(place), 0, 0, 0], ..values(&[energy_mev, slot.weight]) }
        }
        15 => {
            let mut ray = Ray::new(&at, &scene.grid);
            let first = ray.next_face();
            // Out of the grid or not, the ray goes on.
            ray.cross(first, &mut at, &scene.grid);
            let second = ray.next_face();
            ray.end(g * second.distance_cm, &mut at, &scene.grid);
            let [x, y, z] = at.local_cm;
            values(&[first.distance_cm, second.distance_cm, 0.0, 0.0, x, y, z])
        }
        _ => unreachable!("there is no such body"),
    }
    .with_drawn(case, &stream)
}

impl Outcome {
    fn with_drawn(mut self, case: &Case, stream: &Stream) -> Self {
        if case.body != 0 {
            self.words[3] = stream.drawn();
        }
        self
    }

    fn from_words(words: &[u32]) -> Self {
        let values = std::array::from_fn(|i| f32::from_bits(words[4 + i]));
        Self { words: std::array::from_fn(|i| words[i]), values }
    }

    /// Whether all values agree. The first of an interaction is an energy or the only cosine, the others are mostly cosines.
    fn agrees(&self, other: &Self) -> bool {
        let relative = |a: f32, b: f32| (a - b).abs() <= TOLERANCE * a.abs().max(b.abs());
        let as_cosine = |a: f32, b: f32| (a - b).abs().min((a * a - b * b).abs()) <= COSINE_TOLERANCE;
        let mut values = self.values.iter().zip(&other.values);
        values.all(|(&a, &b)| relative(a, b) || as_cosine(a, b))
    }
}

/// Runs all cases on the device.
fn on_device(session: &mut Session, scene: &Scene, cases: &[Case]) -> Vec<Outcome> {
    let context = &session.context;
    let device_scene = DeviceScene::new(context, scene);
    let stage = Pipeline::compile(&context.device, &TWINS, &constants());
    let words = device_scene.params.words();
    let params = context.buffer("params", words.len(), wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST);
    context.queue.write_buffer(&params, 0, bytemuck::cast_slice(&words));
    let given = context.filled("cases", cases);
    let outcomes = context.storage("outcomes", 12 * cases.len());
    let buffers = [
        ("params", &params),
        ("medium", &device_scene.medium),
        ("tables", &device_scene.tables),
        ("source_guide", &device_scene.source_guide),
        ("source_ends", &device_scene.source_ends),
        ("source_voxels", &device_scene.source_voxels),
        ("cases", &given),
        ("outcomes", &outcomes),
    ];
    let bind_group = stage.bind(&context.device, &buffers);
    let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    pass.set_pipeline(&stage.compute);
    pass.set_bind_group(0, &bind_group, &[0]);
    pass.dispatch_workgroups(u32::try_from(cases.len()).expect("few").div_ceil(stage.shader.lanes), 1, 1);
    drop(pass);
    context.queue.submit([encoder.finish()]);
    let mut words = vec![0; 12 * cases.len()];
    session.read_as(&outcomes, 0, &mut words, |word| word).expect("the device works");
    words.chunks(12).map(Outcome::from_words).collect()
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn every_body_is_that_of_the_cpu() {
    let mut session = shared_session();
    let scene = layers(everything(), 8);
    let mut rng = ChaCha8Rng::seed_from_u64(20);
    let cases: Vec<Case> = BODIES
        .iter()
        .flat_map(|&(body, _)| (0..CASES).map(|_| case(body, &scene, &mut rng)).collect::<Vec<_>>())
        .collect();
    let found = on_device(&mut session, &scene, &cases);
    for ((body, name), (cases, found)) in BODIES.into_iter().zip(cases.chunks(CASES).zip(found.chunks(CASES))) {
        let (mut strays, mut worst) = (0, 0.0f32);
        for (case, found) in cases.iter().zip(found) {
            let expected = on_cpu(case, &scene);
            if found.words[3] != expected.words[3] && body != 0 {
                strays += 1;
                continue;
            }
            assert_eq!(found.words, expected.words, "{name}: {case:?}");
            let differences = found.values.iter().zip(&expected.values).map(|(a, b)| (a - b).abs() / b.abs().max(1e-3));
            worst = differences.fold(worst, f32::max);
            assert!(found.agrees(&expected), "{name}: {case:?}\n{found:?}\n{expected:?}");
        }
        println!("{name}: {strays} of {CASES} stray, the others differ by {worst:.1e}");
        assert!(strays <= STRAYING, "{name}: {strays}");
    }
}
