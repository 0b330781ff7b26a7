//! Each body of transport on the device against its twin on the CPU: the same random words, energies, directions.

mod host;
#[cfg(test)]
mod tests;

use super::constants::constants;
use super::device_scene::DeviceScene;
use crate::domain::DoseError;
use crate::engine::cpu::transport::random::Stream;
use crate::engine::gpu::pipeline::Pipeline;
use crate::engine::gpu::record::GivenTwins;
use crate::engine::gpu::session::Session;
use crate::engine::gpu::shader::TWINS as TWINS_STAGE;
use crate::engine::measures::TwinFigure;
use crate::prepare::transport::Scene;

include!(concat!(env!("OUT_DIR"), "/twins.rs"));

/// Largest relative difference of two values. It is some units of single precision, since a device's logarithms, powers
/// and roots are off by a few.
const TOLERANCE: f32 = 1e-5;
/// Largest difference of two cosines or their squares, where a cosine or its square is a difference of larger numbers.
/// The cosine of a Compton photon of 11 keV follows from its energy loss, whose rounding error is 46 times as large in
/// the cosine.
const COSINE_TOLERANCE: f32 = 3e-5;
/// Part of the cases that may draw another number of words, where a value lies within rounding of the edge of a
/// rejection.
const STRAYING: f64 = 1.0 / 500.0;
/// Nothing smaller is divided by, when differences are stated.
const LEAST: f32 = 1e-3;

/// As in `shaders/checks/twins.wgsl`.
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

/// What a body returned. The last two words are the rejection loops that reached their bound and the words drawn.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
struct Outcome {
    words: [u32; 4],
    values: [f32; 8],
}

/// Random inputs of a test, over all energies and directions.
fn case(twin: Twin, scene: &Scene, random: &mut Stream) -> Case {
    let voxels = scene.medium.len();
    let ids = if matches!(twin, Twin::Face | Twin::Medium | Twin::Ray) { voxels } else { u32::MAX as usize };
    let materials = if twin == Twin::Source { scene.emissions.slots.len() } else { scene.materials() };
    let given = given(twin, scene, random);
    Case {
        key: [(); 4].map(|()| random.next_word()),
        body: twin as u32,
        id: below(ids, random),
        material: below(materials, random),
        drawn: below(8, random),
        given,
    }
}

/// A whole number below another, which is at most 2³² − 1.
fn below(end: usize, random: &mut Stream) -> u32 {
    ((u64::from(random.next_word()) * end as u64) >> 32) as u32
}

fn direction(random: &mut Stream) -> [f32; 3] {
    loop {
        let [x, y, z] = [(); 3].map(|()| 2.0 * random.next_uniform() - 1.0);
        let square = x * x + y * y + z * z;
        if square < 1.0 && square > 1e-3 {
            return [x, y, z].map(|u| u / square.sqrt());
        }
    }
}

fn given(twin: Twin, scene: &Scene, random: &mut Stream) -> [f32; 8] {
    let direction = direction(random);
    let [u, v, w, around] = [(); 4].map(|()| random.next_uniform());
    let turn = std::f32::consts::TAU * around;
    let energy = 0.011 * 900f32.powf(u);
    let spacing = scene.grid.spacing_cm;
    match twin {
        Twin::Lookup => [1e-4 * 1e6f32.powf(u), v, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        Twin::Face | Twin::Ray => {
            // Some fly along an axis.
            let [a, b, c] = if u < 0.1 { [0.0, -1.0, 0.0] } else { direction };
            [u * spacing[0], v * spacing[1], w * spacing[2], a, b, c, random.next_uniform(), 0.0]
        }
        Twin::Turned => [2.0 * v - 1.0, 0.0, 0.0, direction[0], direction[1], direction[2], turn.cos(), turn.sin()],
        Twin::Deflection => [1e-3 + 0.1 * u, 2.7e-3 + 0.26 * u, 5e-3 + 0.45 * u, 0.1 * v, 1e-4 * w, 0.0, 0.0, 0.0],
        Twin::Moller | Twin::Bhabha | Twin::Bremsstrahlung => {
            [energy, energy * (0.01 + 0.4 * v), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        }
        Twin::Step => [energy, 3.0 * v, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        Twin::Absorption => [energy, v, w, 0.0, 0.0, 0.0, 0.0, 0.0],
        Twin::Threefry
        | Twin::Sampling
        | Twin::Medium
        | Twin::Annihilation
        | Twin::Compton
        | Twin::Coherent
        | Twin::ElectronAngles
        | Twin::Source
        | Twin::Shift => [energy, 0.02 + energy * v, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    }
}

impl Outcome {
    fn with_stream(mut self, stream: &Stream) -> Self {
        self.words[2] = stream.exhausted();
        self.words[3] = stream.drawn();
        self
    }

    fn from_words(words: &[u32]) -> Self {
        let values = std::array::from_fn(|i| f32::from_bits(words[4 + i]));
        Self { words: std::array::from_fn(|i| words[i]), values }
    }

    /// Whether all values agree. The first of an interaction is an energy or the only cosine, the others are mostly
    /// cosines.
    fn agrees(&self, other: &Self) -> bool {
        let relative = |a: f32, b: f32| (a - b).abs() <= TOLERANCE * a.abs().max(b.abs());
        let as_cosine = |a: f32, b: f32| (a - b).abs().min((a * a - b * b).abs()) <= COSINE_TOLERANCE;
        let mut values = self.values.iter().zip(&other.values);
        values.all(|(&a, &b)| relative(a, b) || as_cosine(a, b))
    }
}

/// Runs all cases on the device. A recording keeps them, with what the CPU makes of them.
fn on_device(session: &mut Session, scene: &Scene, cases: &[Case]) -> Result<Vec<Outcome>, DoseError> {
    let context = &session.context;
    let device_scene = DeviceScene::new(context, scene);
    let stage = Pipeline::compile(&context.device, &TWINS_STAGE, &constants());
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
    let bound = stage.bind(&context.device, &buffers);
    let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    pass.set_pipeline(&stage.compute);
    pass.set_bind_group(0, &bound.group, &[0]);
    let groups = u32::try_from(cases.len()).expect("few").div_ceil(stage.shader.lanes);
    pass.dispatch_workgroups(groups, 1, 1);
    drop(pass);
    context.queue.submit([encoder.finish()]);
    if let Some(recorder) = &context.recorder {
        let twin = |case: &Case| TWINS.iter().find(|(twin, _)| *twin as u32 == case.body).expect("a test").0;
        let expected: Vec<Outcome> = cases.iter().map(|case| host::outcome(twin(case), case, scene)).collect();
        let tests = TWINS.iter().map(|(_, name)| (*name).to_owned()).collect();
        recorder.twins(GivenTwins {
            params: (&params, &words),
            stage: (&stage, &bound),
            groups,
            outcomes: &outcomes,
            tests,
            cases: cases.len() / TWINS.len(),
            expected: bytemuck::cast_slice(&expected),
        });
    }
    let mut words = vec![0; 12 * cases.len()];
    session.read_as(&outcomes, 0, &mut words, |word| word)?;
    Ok(words.chunks(12).map(Outcome::from_words).collect())
}

/// Each body with its twin on the CPU.
///
/// * `cases` – random inputs of each
///
/// # Errors
/// [`DoseError::DeviceLost`], [`DoseError::DeviceOutOfMemory`].
pub(in crate::engine::gpu) fn figures(
    session: &mut Session,
    scene: &Scene,
    cases: usize,
) -> Result<Vec<TwinFigure>, DoseError> {
    let mut random = Stream::new([20, 0, 0, 0], 0);
    let cases_of = |&(twin, _): &(Twin, &str)| (0..cases).map(|_| case(twin, scene, &mut random)).collect::<Vec<_>>();
    let all: Vec<Vec<Case>> = TWINS.iter().map(cases_of).collect();
    let found = on_device(session, scene, &all.concat())?;
    let of_test = TWINS.iter().zip(all.iter().zip(found.chunks(cases)));
    Ok(of_test.map(|(&(twin, name), (cases, found))| compare(twin, name, scene, cases, found)).collect())
}

/// The cases of a test on the device, which are given, with those of the CPU.
fn compare(twin: Twin, name: &str, scene: &Scene, cases: &[Case], found: &[Outcome]) -> TwinFigure {
    let mut figure = TwinFigure { test: name.to_owned(), cases: cases.len(), ..TwinFigure::default() };
    for (case, found) in cases.iter().zip(found) {
        let expected = host::outcome(twin, case, scene);
        if found.words[3] != expected.words[3] {
            figure.straying += 1;
            continue;
        }
        let differences = found.values.iter().zip(&expected.values).map(|(a, b)| (a - b).abs() / b.abs().max(LEAST));
        figure.worst = differences.fold(figure.worst, f32::max);
        if found.words != expected.words || !found.agrees(&expected) {
            figure.differing += 1;
            tracing::debug!(test = name, ?case, ?found, ?expected, "a twin differs");
        }
    }
    figure.agrees = figure.differing == 0 && figure.straying as f64 <= STRAYING * cases.len() as f64;
    figure
}
