// Sums up what the groups scored in each voxel, one voxel a lane: all of it, and how far the groups are apart.
// In: tally. Out: summary, totals.
// Twin: src/domain/summed.rs
#import summary
#import squares
#import wide

const PLANES: u32 = 4u;

// Of each voxel the low and the high word of the sum, and the bits of two sums of squares, each in a plane of its own.
@group(0) @binding(3) var<storage, read_write> summary: array<u32>;

var<workgroup> checks: array<atomic<u32>, PLANES>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    if lane < PLANES { atomicStore(&checks[lane], 0u); }
    workgroupBarrier();
    let voxel = linear_workgroup(workgroup, workgroups) * WORKGROUP + lane;
    if voxel < params.n_voxels {
        let words = summed(voxel);
        for (var plane = 0u; plane < PLANES; plane++) {
            summary[plane * params.n_voxels + voxel] = words[plane];
            atomicAdd(&checks[plane], words[plane]);
        }
    }
    workgroupBarrier();
    if lane < PLANES { atomicAdd(&totals[1u + lane], atomicLoad(&checks[lane])); }
    if lane == 0u { atomicAdd(&totals[0], 1u); }
}

// The words of a voxel. The squares are those of deviations from what each group would have if all histories had
// scored alike, rounded down to whole units a history: of the groups with fewest histories, and of those with one more.
fn summed(voxel: u32) -> vec4<u32> {
    let n_groups = 1u << params.launch_bits;
    var sum = vec2(0u);
    for (var group = 0u; group < n_groups; group++) { sum = add_wide(sum, energy_of(group, voxel)); }
    let a_history = quotient(sum, vec2(params.histories_low, params.histories_high));
    var squares_of_fewest = vec4(0u);
    var squares_of_more = vec4(0u);
    for (var group = 0u; group < n_groups; group++) {
        let has_more = (params.more >> group) & 1u;
        let due = times(a_history, params.fewest + has_more);
        let energy = energy_of(group, voxel);
        let is_short = is_below(energy, due);
        let square = squared(without(select(energy, due, is_short), select(due, energy, is_short)));
        if has_more == 1u {
            squares_of_more = add_four(squares_of_more, square);
        } else {
            squares_of_fewest = add_four(squares_of_fewest, square);
        }
    }
    return vec4(sum, truncated(squares_of_fewest), truncated(squares_of_more));
}
