// Follows photons for some steps, one a lane. Those that have not ended wait in a queue again.
// In: queues, medium, tables. Out: queues, tally, accounts.
#import counters
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
    var walk: Walk;
    if id.x < n_running {
        let room_charged = atomicLoad(&counters.photons_room_charged);
        let room_photons = atomicLoad(&counters.photons_room_photons);
        let track = take(queue_start(true, atomicLoad(&counters.turn)), standing + id.x);
        walk = follow(track, room_charged, room_photons);
        var stream = stream_of(track);
        var score = score_of(track.history);
        is_alive = run_photon(&walk, &stream, &score);
        walk.track.drawn = stream.drawn;
        add_accounts(score, stream.exhausted);
    }
    hand_on(lane, is_alive, walk.track);
    close_accounts(lane);
}
