// A pass has more workgroups than one axis of a dispatch may have, and may be split over several dispatches.
#import layout

// The number of a workgroup in its pass.
fn linear_group(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return params.first_group + group.y * groups.x + group.x;
}
