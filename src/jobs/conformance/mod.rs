//! What job queues have to hold. [`every`] is what each of them has to, the durable and the brokered one too. The rest
//! is written against the interface of queues within one process: an implementation says how to open a [`Subject`] and
//! lists the checks in [`conformance`].

pub(crate) mod every;
mod memory_every;
mod order;
mod outcome;
mod script;
mod states;
mod subject;
mod worker;

pub(crate) use every::every_queue;
pub(super) use subject::{Subject, volumes};

/// One test for each check, on the subject that `$open` opens with a queue of the length given.
macro_rules! conformance {
    ($open:expr; $($room:ident: $($check:ident),+;)+) => {
        $($(#[test]
        fn $check() {
            $room::$check($open);
        })+)+
    };
}

mod memory {
    use super::*;

    conformance! {
        Subject::in_memory;
        order: a_full_queue_refuses_at_once_and_recovers, the_most_urgent_is_taken_first_then_the_oldest,
            those_who_wait_know_their_place, a_worker_waits_for_work, a_closed_queue_hands_out_what_it_accepted;
        outcome: a_dose_reaches_the_caller_once, a_failure_says_why, volumes_are_free_before_the_job_is_finished,
            volumes_that_jobs_share_are_kept_for_the_last_of_them, progress_is_the_latest_value,
            a_slow_watcher_sees_the_latest_state;
        states: a_job_that_waits_is_cancelled_at_once, a_job_that_runs_is_cancelled_for_good,
            a_job_put_back_goes_first_and_its_old_lease_is_void, jobs_are_listed_newest_first,
            unknown_jobs_are_not_there, only_allowed_transitions_are_seen, jobs_are_data;
        worker: a_panic_does_not_lose_the_queue, a_lost_device_fails_the_job_or_puts_it_back,
            a_device_that_does_not_come_back_fails_each_job, a_device_is_looked_for_until_it_is_back,
            a_caller_who_leaves_cancels, a_job_without_volumes_fails;
    }
}

mod memory_as_every {
    use super::memory_every::Memory;

    super::every::every_queue! { [] Memory::open() }
}
