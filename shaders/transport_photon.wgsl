// Follows photons for some steps, one a lane; those that are still on their way after it wait in a queue again.
// In: queues, medium, tables. Out: queues, tally, accounts.
#import transport
#import random
#import lookup
#import geometry
#import sampling
#import scatter
#import score
#import queue
#import history
#import photon

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    open_queue(lane);
    open_accounts(lane);
    let n_running = atomicLoad(&counters.photons_running);
    let standing = atomicLoad(&counters.photons) - n_running;
    pass_standing(true, standing, id.x, groups.x * WORKGROUP);
    var is_alive = false;
    if id.x < n_running {
        room_charged = atomicLoad(&counters.photons_room_charged);
        room_photons = atomicLoad(&counters.photons_room_photons);
        follow(take(queue_start(true, atomicLoad(&counters.turn)), standing + id.x));
        is_alive = run_photon();
        book(launch_group);
    }
    hand_on(lane, is_alive);
    close_accounts(lane);
}
