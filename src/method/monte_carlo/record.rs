//! The output of a run besides its dose: the digest of its scene, and a tally to which other runs can be added.

use super::voxel_materials::{VOXELS_AT_ONCE, VoxelMaterials};
use crate::digest::Digest;
use crate::domain::Tally;
use crate::domain::{
    Control, DoseError, DoseRequest, EmissionAccount, HistoryRun, Invalid, MonteCarloOptions, Particle, SceneAccount,
    Source, SourceAccount, Stage, TallyRecord, Volume,
};
use crate::plan::TransportPlan;

/// Everything that determines the dose except the histories. The version counts, since other versions may have other
/// physics.
///
/// # Errors
/// [`DoseError::Cancelled`].
pub(super) fn scene_account(
    request: &DoseRequest,
    options: &MonteCarloOptions,
    plan: &TransportPlan,
    voxel_materials: &VoxelMaterials,
    control: &Control,
) -> Result<SceneAccount, DoseError> {
    let source = request.source();
    let emissions = emission_account(source);
    let mut account = SceneAccount {
        sha256: String::new(),
        seed: options.seed,
        groups: plan.groups,
        max_histories: plan.max_histories,
        cuts: plan.cuts,
        nuclide: source.name().to_owned(),
        nuclide_data_sha256: source.data_sha256().to_owned(),
        source: SourceAccount::new(source),
        emissions,
        medium: options.medium.name().to_owned(),
        materials: voxel_materials.account(),
        voxel_materials_sha256: materials_digest(voxel_materials, control)?,
        minimum_density_g_cm3: options.minimum_density_g_cm3,
    };
    let density = request.density().expect("a request for transport has a density").g_cm3();
    account.sha256 = digest(env!("CARGO_PKG_VERSION"), &account, [request.activity().decays(), density], control)?;
    Ok(account)
}

/// Whether a tally from a file is of the scene that it says. A file that was changed can have a digest that fits its
/// bytes; the digest of its scene then is that of what it was.
///
/// # Errors
/// If it is not.
fn check_scene(record: &TallyRecord) -> Result<(), Invalid> {
    let version = record.runs.first().map_or(env!("CARGO_PKG_VERSION"), |run| &run.version);
    let account = SceneAccount { sha256: String::new(), ..record.scene.clone() };
    let maps = [record.activity.decays(), record.density.g_cm3()];
    let found = digest(version, &account, maps, &Control::detached()).expect("nobody cancels");
    if found == record.scene.sha256 {
        return Ok(());
    }
    Err(Invalid::new("was changed: the digest of its scene is not that of what it holds; compute it again"))
}

fn emission_account(source: &Source) -> EmissionAccount {
    let spectrum = source.emissions();
    let emitted = || spectrum.emissions().iter().filter(|emission| emission.yield_per_decay > 0.0);
    EmissionAccount {
        custom: source.own_emissions().is_some(),
        sha256: spectrum.sha256(),
        electron_mev: spectrum.mean_energy_mev(Particle::Electron),
        positron_mev: spectrum.mean_energy_mev(Particle::Positron),
        photon_mev: spectrum.mean_energy_mev(Particle::Photon),
        local_mev: source.local_mev(),
        released_mev: source.released_mev(),
        particles: emitted().map(|emission| emission.yield_per_decay).sum(),
        highest_mev: emitted().map(|emission| emission.high_mev).fold(0.0, f64::max),
    }
}

/// A digest of parts, each with its length.
#[derive(Default)]
struct Parts(Digest);

impl Parts {
    fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// As [`Parts::add`], of so many bytes that the caller may go meanwhile.
    fn add_long(&mut self, bytes: &[u8], control: &Control) -> Result<(), DoseError> {
        self.0.update((bytes.len() as u64).to_le_bytes());
        for some in bytes.chunks(VOXELS_AT_ONCE) {
            control.checkpoint(Stage::Tables, 0.0)?;
            self.0.update(some);
        }
        Ok(())
    }
}

fn materials_digest(voxel_materials: &VoxelMaterials, control: &Control) -> Result<String, DoseError> {
    let mut parts = Parts::default();
    for material in &voxel_materials.materials {
        parts.add(&serde_json::to_vec(material.definition()).expect("a definition is plain data"));
    }
    parts.add_long(&voxel_materials.of_voxel, control)?;
    Ok(parts.0.hex())
}

/// Digest of the account and of the maps that it summarises.
///
/// * `version` – of the program that the histories are from
/// * `account` – without its digest
/// * `maps` – decays and density
fn digest(
    version: &str,
    account: &SceneAccount,
    maps: [&Volume<f32>; 2],
    control: &Control,
) -> Result<String, DoseError> {
    let mut parts = Parts::default();
    parts.add(version.as_bytes());
    parts.add(&serde_json::to_vec(account).expect("an account is plain data"));
    let grid = maps[0].grid();
    grid.shape().iter().for_each(|&n| parts.add(&(n as u64).to_le_bytes()));
    grid.spacing_mm().iter().chain(grid.affine().as_flattened()).for_each(|value| parts.add(&value.to_le_bytes()));
    for map in maps {
        for some in map.as_slice().chunks(1 << 16) {
            control.checkpoint(Stage::Tables, 0.0)?;
            parts.add(bytemuck::cast_slice(&to_little_endian(some)));
        }
    }
    Ok(parts.0.hex())
}

fn to_little_endian(values: &[f32]) -> Vec<[u8; 4]> {
    values.iter().map(|value| value.to_le_bytes()).collect()
}

/// Adds the histories of another run of the same scene, if there are some already. The sum is that of one run, byte by
/// byte.
///
/// # Errors
/// If the other one is not of the scene that it says; as [`merge`]. Nothing is added then.
pub fn add_checked(sum: &mut Option<TallyRecord>, other: TallyRecord) -> Result<(), Invalid> {
    check_scene(&other)?;
    match sum {
        None => *sum = Some(other),
        Some(sum) => merge(sum, other)?,
    }
    Ok(())
}

/// Adds the histories of another run of the same scene. The sum is that of one run, byte by byte.
///
/// # Errors
/// If the scene differs, or some of the histories are already included. Nothing is added then.
pub fn merge(into: &mut TallyRecord, other: TallyRecord) -> Result<(), Invalid> {
    if let Some(reason) = differs(into, &other) {
        return Err(Invalid::new(format!("belongs to a different computation: {reason}")));
    }
    for run in &other.runs {
        let overlaps = |known: &&HistoryRun| run.first_history < known.end() && known.first_history < run.end();
        if let Some(known) = into.runs.iter().find(overlaps) {
            let (first, last) = (run.first_history.max(known.first_history), run.end().min(known.end()) - 1);
            return Err(Invalid::new(format!("has histories that are already included: {first} to {last}")));
        }
    }
    if !fits(&into.tally, &other.tally) {
        return Err(Invalid::new("holds more energy than a tally can: the file is damaged"));
    }
    into.tally.add(&other.tally);
    into.runs.extend(other.runs);
    into.runs.sort_by_key(|run| (run.first_history, run.histories));
    into.runs.dedup_by(|next, run| {
        let same = (&run.device, &run.version, &run.commit) == (&next.device, &next.version, &next.commit);
        let joined = same && run.end() == next.first_history;
        if joined {
            run.histories += next.histories;
        }
        joined
    });
    Ok(())
}

/// Whether the sum of two tallies of one scene does not overflow: tallies from files are not trusted.
fn fits(a: &Tally, b: &Tally) -> bool {
    a.groups.iter().zip(&b.groups).all(|(a, b)| {
        let book = [(a.emitted, b.emitted), (a.deposited, b.deposited), (a.escaped, b.escaped)];
        a.histories.checked_add(b.histories).is_some()
            && book.iter().all(|(a, b)| a.checked_add(*b).is_some())
            && a.energy.iter().zip(b.energy.iter()).all(|(a, b)| a.checked_add(b).is_some())
    })
}

/// The first difference between the scenes of two records.
fn differs(a: &TallyRecord, b: &TallyRecord) -> Option<&'static str> {
    let (x, y) = (&a.scene, &b.scene);
    let parts = [
        ("the seed differs", x.seed != y.seed),
        ("the nuclide differs", x.nuclide != y.nuclide || x.nuclide_data_sha256 != y.nuclide_data_sha256),
        ("the emissions differ", x.emissions != y.emissions),
        ("the cuts differ", x.cuts != y.cuts),
        ("the minimum density differs", x.minimum_density_g_cm3 != y.minimum_density_g_cm3),
        ("the grid differs", a.density.g_cm3().grid() != b.density.g_cm3().grid()),
        ("the activity differs", a.activity != b.activity),
        ("the density differs", a.density != b.density),
        ("the materials differ", x.materials != y.materials),
        ("the scene, or the version of the program, differs", x != y),
    ];
    parts.into_iter().find_map(|(reason, differs)| differs.then_some(reason))
}
