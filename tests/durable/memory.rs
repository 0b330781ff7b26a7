//! The memory of a server under a light load, minute after minute: jobs come, end and are deleted, and nothing of them
//! stays. `RELIABILITY_MEMORY_MINUTES` says for how long; a short form looks after rounds of jobs, without waiting.

use std::time::Duration;

use dosegrid::api::pb::{self, JobState};

use super::rounds::{row, times};
use super::{Client, local, monte_carlo, request_id};
use crate::support::command::Server;

/// Looks where nobody asks for more.
const FEW: usize = 3;
/// Jobs of each kind between two looks.
const JOBS: usize = 10;
/// A figure of which the last quarter of the looks may have more than the second [KiB]: an allocator keeps some.
const MOST_MORE_KIB: u64 = 16 << 10;
/// What the server has for its work, and what its code, tables and threads may take beside it.
const LIMIT_MIB: u64 = 256;
const BESIDE_MIB: u64 = 384;

/// Memory that a process holds now, as Linux says.
fn resident_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Volumes that are new, a job of them, its end and its result; then all of it is deleted.
async fn round(client: &mut Client, method: pb::method::Method, number: usize) {
    let shape = [12, 12, 8 + u32::try_from(number % 8).expect("few")];
    let spec = client.upload_job(method, shape).await;
    let job = client.create(&spec, &request_id()).await.expect("a good job");
    let (_, ended) = client.watch(&job.name).await.expect("it ends");
    assert_eq!(ended.state(), JobState::Succeeded, "{:?}", ended.error);
    let dose = ended.result.expect("a result").dose.expect("a dose").digest;
    client.get(&dose).await.expect("it is stored");
    client.jobs.delete_job(pb::DeleteJobRequest { name: job.name }).await.expect("it has ended");
    let header = spec.compute.expect("a header");
    for volume in [header.activity, header.density] {
        let request = pb::DeleteVolumeRequest { digest: volume.expect("given").digest };
        client.volumes.delete_volume(request).await.expect("no job holds it");
    }
}

fn median(looks: &[u64]) -> u64 {
    let mut looks = looks.to_vec();
    looks.sort_unstable();
    looks[looks.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(target_os = "linux"), ignore = "the memory of a process is read as Linux tells it")]
async fn memory_stays_within_its_limit_and_does_not_grow() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().to_str().expect("a path of text");
    let memory = LIMIT_MIB.to_string();
    let flags = ["--store", store, "--store-reserve-mib", "0", "--memory-mib", &memory];
    let server = Server::with("127.0.0.1:0", &flags.map(String::from));
    let mut client = Client::of(&server.url).await;
    let asked = times("RELIABILITY_MEMORY_MINUTES", FEW);
    let mut minutes = tokio::time::interval(Duration::from_secs(60));
    let mut looks = Vec::new();
    for look in 0..asked {
        if asked > FEW {
            minutes.tick().await;
        }
        for number in 0..JOBS {
            round(&mut client, local(), number).await;
            round(&mut client, monte_carlo(5000), number).await;
        }
        looks.push(resident_kib(server.id()).expect("it runs"));
        println!("look {look}: {} MiB", looks[look] >> 10);
    }
    let most = *looks.iter().max().expect("there are looks") >> 10;
    let quarters: Vec<u64> = looks.chunks(asked.div_ceil(4)).map(|quarter| median(quarter) >> 10).collect();
    row("minutes under a light load", asked, &format!("medians of quarters {quarters:?} MiB, {most} MiB at most"));
    assert!(most < LIMIT_MIB + BESIDE_MIB, "{most} MiB");
    if asked > FEW {
        let [_, second, .., last] = quarters[..] else { panic!("four quarters") };
        assert!(last <= second + (MOST_MORE_KIB >> 10), "{second} MiB became {last}");
    }
}
