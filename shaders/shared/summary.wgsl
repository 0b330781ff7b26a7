// What the groups of a tally say together: what both of its stages are told, read and count.

const WORKGROUP: u32 = 64u;

// What is told. The Rust struct of the same name is generated from this one.
struct SummaryParams {
    n_voxels: u32,
    launch_bits: u32,    // there are 2^launch_bits groups in the tally
    histories_low: u32,  // of all groups; above 0
    histories_high: u32,
    fewest: u32,         // histories of the groups that have fewest
    more: u32,           // a bit for each group that has one more
}

@group(0) @binding(0) var<uniform> params: SummaryParams;
// The sums of all voxels, group by group: all low words, then all high ones.
@group(0) @binding(1) var<storage, read> tally: array<u32>;
// First the workgroups that came to their end. The sums of the words of each plane of the summary follow, and the
// sums of each region, group by group: its energy, two words, and its energy by weight, three.
@group(0) @binding(2) var<storage, read_write> totals: array<atomic<u32>>;

// The number of a workgroup: a dispatch has two axes.
fn linear_workgroup(workgroup: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    return workgroup.y * workgroups.x + workgroup.x;
}

// Energy that a group scored in a voxel [units].
fn energy_of(group: u32, voxel: u32) -> vec2<u32> {
    let low = group * params.n_voxels + voxel;
    return vec2(tally[low], tally[(params.n_voxels << params.launch_bits) + low]);
}
