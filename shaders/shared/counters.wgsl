// How far a launch has come. The stage `schedule` plans a cycle; emission, charged and photon run it.
#import transport

// Lanes of a workgroup.
const WORKGROUP: u32 = 64u;
// Most workgroups of a dispatch: what every device takes along one axis.
const MOST_WORKGROUPS: u32 = 65535u;

struct TransportCounters {
    turn: atomic<u32>,                 // which queue of each kind is read in this cycle; the other is written
    cycles: atomic<u32>,               // cycles planned so far
    work_low: atomic<u32>,             // most emissions and steps planned so far
    work_high: atomic<u32>,
    given: atomic<u32>,                // workgroups of emission, charged and photon that were planned so far; wraps
    workgroups: atomic<u32>,           // those of them that came to their end; wraps
    first_item: atomic<u32>,           // emissions of this cycle
    emitting: atomic<u32>,
    charged: atomic<u32>,              // particles in the queue that is read
    charged_running: atomic<u32>,      // how many of them move in this cycle: the last ones
    charged_appended: atomic<u32>,     // survivors and newborns in the queue that is written
    charged_room_charged: atomic<u32>, // particles that one charged particle may set free in this cycle
    charged_room_photons: atomic<u32>,
    photons: atomic<u32>,
    photons_running: atomic<u32>,
    photons_appended: atomic<u32>,
    photons_room_charged: atomic<u32>,
    photons_room_photons: atomic<u32>,
    // Per group of the launch: emitted, deposited, escaped, scored, two words each. Then, one word per group, the
    // rejection loops that reached their bound.
    accounts: array<atomic<u32>>,
}

@group(0) @binding(5) var<storage, read_write> counters: TransportCounters;

// Most lanes of a dispatch.
fn most_lanes() -> u32 {
    return min(params.max_lanes, MOST_WORKGROUPS * WORKGROUP);
}

// Workgroups of a stage that has `n` decays or particles to work on; a lane may have several that do not move. One that
// was not planned does nothing and does not count: it cannot stand for one that is missing.
fn workgroups_for(n: u32) -> u32 {
    return (min(n, most_lanes()) + WORKGROUP - 1u) / WORKGROUP;
}

// Workgroups of charged or photon: the last particles of a queue move, and those that stand are copied.
fn workgroups_of_queue(n_running: u32, standing: u32) -> u32 {
    return workgroups_for(max(n_running, standing));
}
