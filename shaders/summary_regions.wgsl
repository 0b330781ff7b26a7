// Sums up what each group scored in each region, some voxels of one group a lane.
// In: tally, regions. Out: totals.
// Twin: src/domain/summed.rs
#import summary
#import squares
#import wide

// Voxels of a lane. Neighbours are of one region mostly, so that a lane seldom adds to the totals.
const STRETCH: u32 = 64u;
// Words of the totals before those of the regions, and words of a region for one group.
const FIRST: u32 = 5u;
const SUM_WORDS: u32 = 5u;

// The region of each voxel.
@group(0) @binding(3) var<storage, read> regions: array<u32>;
// By what the energy of each voxel is multiplied; below 2^31.
@group(0) @binding(4) var<storage, read> weights: array<u32>;

// What a stretch of voxels of one region has.
struct Sums {
    energy: vec2<u32>,
    weighted: vec4<u32>, // of which three words are used
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let n_stretches = (params.n_voxels + STRETCH - 1u) / STRETCH;
    let number = linear_workgroup(workgroup, workgroups) * WORKGROUP + lane;
    if number < (n_stretches << params.launch_bits) {
        add_stretch(number / n_stretches, STRETCH * (number % n_stretches));
    }
    workgroupBarrier();
    if lane == 0u { atomicAdd(&totals[0], 1u); }
}

fn add_stretch(group: u32, first: u32) {
    var region = regions[first];
    var sums = Sums(vec2(0u), vec4(0u));
    for (var voxel = first; voxel < min(first + STRETCH, params.n_voxels); voxel++) {
        if regions[voxel] != region {
            add_to_region(region, group, sums);
            region = regions[voxel];
            sums = Sums(vec2(0u), vec4(0u));
        }
        let energy = energy_of(group, voxel);
        sums.energy = add_wide(sums.energy, energy);
        sums.weighted = add_four(sums.weighted, three_words(energy, weights[voxel]));
    }
    add_to_region(region, group, sums);
}

// The product of a number of two words and a word.
fn three_words(a: vec2<u32>, b: u32) -> vec4<u32> {
    return add_four(vec4(product(a.x, b), 0u, 0u), vec4(0u, product(a.y, b), 0u));
}

fn add_to_region(region: u32, group: u32, sums: Sums) {
    let first = FIRST + SUM_WORDS * ((region << params.launch_bits) + group);
    let energy = add_to_total(first, sums.energy.x, 0u);
    add_to_total(first + 1u, sums.energy.y, energy);
    let low = add_to_total(first + 2u, sums.weighted.x, 0u);
    let middle = add_to_total(first + 3u, sums.weighted.y, low);
    add_to_total(first + 4u, sums.weighted.z, middle);
}

// Adds a word and what is carried into it; what is carried out of it.
fn add_to_total(place: u32, word: u32, carried: u32) -> u32 {
    let sum = word + carried;
    if sum == 0u { return u32(sum < word); }
    let before = atomicAdd(&totals[place], sum);
    return u32(before + sum < before);
}
