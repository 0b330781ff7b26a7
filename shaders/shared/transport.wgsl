// What every stage of Monte Carlo transport is told: the parameters of a run, the constants that the host sets when it
// compiles a stage, and the scene as flat data. The Rust struct of the same name is generated from this one.
struct TransportParams {
    n_x: u32,                 // voxels
    n_y: u32,
    n_z: u32,
    n_voxels: u32,
    spacing_x_cm: f32,
    spacing_y_cm: f32,
    spacing_z_cm: f32,
    is_periodic: u32,
    absorption_mev: f32,      // cuts
    collision_mev: f32,
    photon_mev: f32,
    track_length_mev: f32,
    seed_low: u32,
    seed_high: u32,
    group_bits: u32,          // there are 2^group_bits statistical groups
    first_group: u32,         // the groups of this launch: from here on, 2^launch_bits of them
    launch_bits: u32,
    first_rank: u32,          // the ranks of this launch
    n_ranks: u32,
    first_history_low: u32,   // histories that were asked for: from here on, up to this one
    first_history_high: u32,
    end_history_low: u32,
    end_history_high: u32,
    n_slots: u32,             // slots of the emissions
    n_items: u32,             // slots times decays, ranks padded to whole workgroups
    n_sources: u32,           // voxels with activity
    source_guide_bits: u32,
    reach_first: u32,         // where the tables start: in vec4
    step_first: u32,
    attenuation_first: u32,
    k_shells_first: u32,
    slots_first: u32,
    rows_first: u32,
    digits_first: u32,
    spectra_first: u32,       // likewise, in single values
    incoherent_first: u32,
    coherent_first: u32,
    transfer_first: u32,
    emission_guide_first: u32,
    capacity: u32,            // particles of a queue
    max_lanes: u32,           // particles that one dispatch works on
    charged_steps: u32,       // condensed steps of one particle in one dispatch
    photon_steps: u32,        // faces and interactions of one photon in one dispatch
    photons_per_charged: u32, // photons that one step of a charged particle may set free
}

override ELECTRON_REST_MEV: f32;
override UNITS_PER_MEV: f32;
override NODES: u32;
override OCTAVE_BITS: u32;
override FIRST_NODE: f32;
override FIRST_NODE_BITS: u32;
override PHOTON_STEPS: u32;
override SPECTRUM_ROWS: u32;
override SPECTRUM_ROWS_PER_OCTAVE: u32;
override TRANSFER_BINS: u32;
override FORM_FACTOR_BINS: u32;
override TRANSFER_MIN: f32;
override TRANSFER_PER_MEV: f32;

// Kinds of particles.
override ELECTRON: u32;
override POSITRON: u32;
override PHOTON: u32;

@group(0) @binding(0) var<uniform> params: TransportParams;
// One word a voxel: the density, with the number of the material in its lowest bits.
@group(0) @binding(1) var<storage, read> medium: array<u32>;
// All tables, one after another, in single precision or as words.
@group(0) @binding(2) var<storage, read> tables: array<vec4<u32>>;

// Four values of the tables.
fn row(i: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(tables[i]);
}

// One word of the tables.
fn value_word(i: u32) -> u32 {
    let four = tables[i / 4u];
    let in_low = select(four.x, four.y, (i & 1u) == 1u);
    let in_high = select(four.z, four.w, (i & 1u) == 1u);
    return select(in_low, in_high, (i & 2u) == 2u);
}

// One value of the tables.
fn value(i: u32) -> f32 {
    return bitcast<f32>(value_word(i));
}
