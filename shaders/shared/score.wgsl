// Where energy goes, in whole units: sums of whole numbers do not depend on their order.
// Twin, by whole histories: src/engine/cpu/transport/score.rs
//
// A voxel's sum has two words. All low words come before all high ones, which hardly ever change. Each lane keeps the
// accounts of its particle, which are added to those of its workgroup and then to those of the launch.
#import transport
#import wide
#import counters

const ACCOUNTS: u32 = 4u;
// Most groups of a launch.
override MAX_LAUNCH_GROUPS: u32;
override MAX_ACCOUNT_WORDS: u32 = 2u * ACCOUNTS * MAX_LAUNCH_GROUPS;

@group(0) @binding(3) var<storage, read_write> tally: array<atomic<u32>>;

var<workgroup> workgroup_accounts: array<atomic<u32>, MAX_ACCOUNT_WORDS>;

// The accounts of a lane: energies of one group in units, two words each.
struct Score {
    group: u32, // which group of the launch
    emitted: vec2<u32>,
    deposited: vec2<u32>,
    escaped: vec2<u32>,
    scored: vec2<u32>,
}

// An energy [MeV] in units, rounded to the nearest. It must be below 64 MeV to fit in one word.
fn units(energy_mev: f32) -> u32 {
    return u32(energy_mev * UNITS_PER_MEV + 0.5);
}

// Energy that a decay emits.
fn score_emission(score: ptr<function, Score>, energy_mev: f32) {
    score.emitted = add_word(score.emitted, units(energy_mev));
}

// Energy that stays in a voxel and is scored there.
fn deposit(score: ptr<function, Score>, voxel: u32, energy_mev: f32) {
    let energy = units(energy_mev);
    score.deposited = add_word(score.deposited, energy);
    add_to_voxel(score, voxel, energy);
}

// Energy that stays in the grid, and is scored by track length.
fn absorb(score: ptr<function, Score>, energy_mev: f32) {
    score.deposited = add_word(score.deposited, units(energy_mev));
}

// What a track through a voxel deposits there on average.
fn score_track(score: ptr<function, Score>, voxel: u32, energy_mev: f32) {
    add_to_voxel(score, voxel, units(energy_mev));
}

// Energy that leaves the grid.
fn escape(score: ptr<function, Score>, energy_mev: f32) {
    score.escaped = add_word(score.escaped, units(energy_mev));
}

fn add_to_voxel(score: ptr<function, Score>, voxel: u32, energy: u32) {
    if energy == 0u { return; }
    score.scored = add_word(score.scored, energy);
    let low = score.group * params.n_voxels + voxel;
    let before = atomicAdd(&tally[low], energy);
    if before + energy < before { atomicAdd(&tally[(params.n_voxels << params.launch_bits) + low], 1u); }
}

// All lanes, before any of them adds its accounts. Ends with a barrier.
fn open_accounts(lane: u32) {
    for (var i = lane; i < MAX_ACCOUNT_WORDS; i += WORKGROUP) { atomicStore(&workgroup_accounts[i], 0u); }
    workgroupBarrier();
}

// Adds the accounts of the lane's particle, and the rejection loops of its stream that reached their bound.
fn add_accounts(score: Score, exhausted: u32) {
    add_account(ACCOUNTS * score.group, score.emitted);
    add_account(ACCOUNTS * score.group + 1u, score.deposited);
    add_account(ACCOUNTS * score.group + 2u, score.escaped);
    add_account(ACCOUNTS * score.group + 3u, score.scored);
    // Never in practice, so this goes straight to the launch: its word of each group lies behind all accounts.
    if exhausted != 0u {
        atomicAdd(&counters.accounts[((2u * ACCOUNTS) << params.launch_bits) + score.group], exhausted);
    }
}

fn add_account(account: u32, energy: vec2<u32>) {
    if energy.x == 0u && energy.y == 0u { return; }
    let before = atomicAdd(&workgroup_accounts[2u * account], energy.x);
    let high = energy.y + u32(before + energy.x < before);
    if high != 0u { atomicAdd(&workgroup_accounts[2u * account + 1u], high); }
}

// All lanes, after all of them have added their accounts and have nothing else left to do.
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
    count_workgroup(lane);
}

// All lanes of a workgroup that has nothing left to do.
fn count_workgroup(lane: u32) {
    if lane == 0u { atomicAdd(&counters.workgroups, 1u); }
}
