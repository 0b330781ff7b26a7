// Follows electrons and positrons for some steps, one a lane. Those that have not ended wait in a queue again.
// In: queues, medium, tables. Out: queues, tally, accounts.
#import counters
#import score
#import queue
#import history
#import charged

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let cycle = open_queue(lane);
    let n_running = cycle.charged_running;
    let standing = cycle.charged_standing;
    let planned = workgroups_of_queue(n_running, standing);
    if workgroup.x >= planned { return; }
    open_accounts(lane);
    let place = workgroup.x * WORKGROUP + lane;
    pass_standing(false, standing, place, planned * WORKGROUP);
    var is_alive = false;
    var walk: Walk;
    if place < n_running {
        let track = take(queue_start(false, cycle.turn), standing + place);
        walk = follow(track, cycle.charged_room_charged, cycle.charged_room_photons);
        var stream = stream_of(track);
        var score = score_of(track.history);
        is_alive = run_charged(&walk, &stream, &score);
        walk.track.drawn = stream.drawn;
        add_accounts(score, stream.exhausted);
    }
    hand_on(lane, is_alive, walk.track);
    close_accounts(lane);
}
