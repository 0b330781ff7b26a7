// Where energy goes, in whole units: sums that do not depend on their order. Twin: src/engine/cpu/transport/score.rs
//
// A voxel's sum has two words, all low ones before all high ones: the high ones are hardly ever touched. The book of a particle is kept in
// private variables, then summed by workgroup, then by launch.
#import wide
#import counters

const WORKGROUP: u32 = 64u;
const ACCOUNTS: u32 = 4u;
// Groups of a launch, at most.
override MAX_LAUNCH_GROUPS: u32;
override MAX_ACCOUNT_WORDS: u32 = 2u * ACCOUNTS * MAX_LAUNCH_GROUPS;

@group(0) @binding(3) var<storage, read_write> tally: array<atomic<u32>>;

var<workgroup> workgroup_accounts: array<atomic<u32>, MAX_ACCOUNT_WORDS>;

// Which group of the launch the particle belongs to.
var<private> launch_group: u32;
var<private> emitted: vec2<u32>;
var<private> deposited: vec2<u32>;
var<private> escaped: vec2<u32>;
var<private> scored: vec2<u32>;

// An energy [MeV] in units; rounded to the nearest. Below 64 MeV: one word.
fn units(energy_mev: f32) -> u32 {
    return u32(energy_mev * UNITS_PER_MEV + 0.5);
}

// Energy that a decay emits.
fn score_emission(energy_mev: f32) {
    emitted = add_word(emitted, units(energy_mev));
}

// Energy that stays in a voxel and is scored there.
fn deposit(voxel: u32, energy_mev: f32) {
    let energy = units(energy_mev);
    deposited = add_word(deposited, energy);
    add_to_voxel(voxel, energy);
}

// Energy that stays in the grid, and is scored by track length.
fn absorb(energy_mev: f32) {
    deposited = add_word(deposited, units(energy_mev));
}

// What a track through a voxel deposits there on average.
fn score_track(voxel: u32, energy_mev: f32) {
    add_to_voxel(voxel, units(energy_mev));
}

// Energy that leaves the grid.
fn escape(energy_mev: f32) {
    escaped = add_word(escaped, units(energy_mev));
}

fn add_to_voxel(voxel: u32, energy: u32) {
    if energy == 0u { return; }
    scored = add_word(scored, energy);
    let low = launch_group * params.n_voxels + voxel;
    let before = atomicAdd(&tally[low], energy);
    if before + energy < before { atomicAdd(&tally[(params.n_voxels << params.launch_bits) + low], 1u); }
}

// All lanes, before any books are kept.
fn open_accounts(lane: u32) {
    for (var i = lane; i < MAX_ACCOUNT_WORDS; i += WORKGROUP) { atomicStore(&workgroup_accounts[i], 0u); }
    workgroupBarrier();
}

// Adds the books of the lane's particle.
fn book(group: u32) {
    book_account(ACCOUNTS * group, emitted);
    book_account(ACCOUNTS * group + 1u, deposited);
    book_account(ACCOUNTS * group + 2u, escaped);
    book_account(ACCOUNTS * group + 3u, scored);
}

fn book_account(account: u32, energy: vec2<u32>) {
    if energy.x == 0u && energy.y == 0u { return; }
    let before = atomicAdd(&workgroup_accounts[2u * account], energy.x);
    let high = energy.y + u32(before + energy.x < before);
    if high != 0u { atomicAdd(&workgroup_accounts[2u * account + 1u], high); }
}

// All lanes, after all books are kept.
fn close_accounts(lane: u32) {
    workgroupBarrier();
    for (var account = lane; account < (ACCOUNTS << params.launch_bits); account += WORKGROUP) {
        let low = atomicLoad(&workgroup_accounts[2u * account]);
        var high = atomicLoad(&workgroup_accounts[2u * account + 1u]);
        if low == 0u && high == 0u { continue; }
        let before = atomicAdd(&counters.accounts[2u * account], low);
        high += u32(before + low < before);
        if high != 0u { atomicAdd(&counters.accounts[2u * account + 1u], high); }
    }
}
