//! One tenant tries what another has, by every call: the answer is that for what was never there, byte for byte, and
//! comes in the same time. `RELIABILITY_TRIES` asks for more tries.

use std::time::{Duration, Instant};

use dosegrid::api::pb;
use dosegrid::digest::sha256_hex;
use prost::Message;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tonic::transport::Channel;

use super::channel;
use crate::support::command::Server;
use crate::support::raw::call;

/// Below this probability, times are taken to differ: of some thousand runs of the test, one is wrong.
const PROBABILITY: f64 = 1e-6;
const TOKENS: [(&str, &str, &str); 3] =
    [("owner", "clinic-a", "of-a"), ("other", "clinic-b", "of-b"), ("head", "clinic-c", "of-c")];

fn tries() -> usize {
    std::env::var("RELIABILITY_TRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(400)
}

fn bearer(token: &str) -> [(&'static str, String); 1] {
    [("authorization", format!("Bearer {token}"))]
}

fn server(folder: &std::path::Path) -> Server {
    let identity = |(name, tenant, token): (&str, &str, &str)| {
        let digest = sha256_hex(token);
        format!(
            "[[identity]]\nname = \"{name}\"\ntenant = \"{tenant}\"\nroles = [\"submit\"]\ntoken_sha256 = \"{digest}\"\n"
        )
    };
    let path = folder.join("identities.toml");
    std::fs::write(&path, TOKENS.map(identity).concat()).expect("a writable folder");
    let flags = [
        format!("--identities={}", path.display()),
        format!("--store={}", folder.join("store").display()),
        "--store-reserve-mib=0".to_owned(),
    ];
    Server::with("127.0.0.1:0", &flags)
}

/// Both ways to ask for the same: what another has, and what nobody has.
struct Pair {
    call: &'static str,
    another: Vec<u8>,
    nobody: Vec<u8>,
    /// What differs in the two answers: the name that was asked for.
    names: [String; 2],
}

/// Uploads a volume and runs a job as `clinic-a`: their names, and the specification.
async fn owned(channel: &Channel) -> (String, String, pb::JobSpec) {
    let token = bearer(TOKENS[0].2);
    let put = async |bytes: Vec<u8>| {
        let digest = format!("sha256:{}", sha256_hex(&bytes));
        let message = pb::PutVolumeRequest {
            digest: digest.clone(),
            size_bytes: bytes.len() as u64,
            data: bytes.into(),
            ..Default::default()
        };
        let (_, ended) = call(channel, "dosegrid.v1.VolumeService/PutVolume", message.encode_to_vec(), &token).await;
        ended.expect("room");
        digest
    };
    let ones = |value: f32| (0..8).flat_map(move |_| value.to_le_bytes()).collect::<Vec<u8>>();
    let (activity, density) = (put(ones(1e6)).await, put(ones(1.0)).await);
    let volume = |digest: &str| {
        let grid = pb::VoxelGrid { shape: vec![2; 3], spacing_mm: vec![3.0; 3], affine_mm: Vec::new() };
        let (grid, element_type, digest) = (Some(grid), pb::ElementType::Float32.into(), digest.to_owned());
        Some(pb::VolumeDescriptor { grid, element_type, digest, ..Default::default() })
    };
    let unit = pb::activity_unit::Unit::BqS(pb::TimeIntegratedBqS {});
    let header = pb::ComputeHeader {
        activity: volume(&activity),
        activity_unit: Some(pb::ActivityUnit { unit: Some(unit) }),
        density: volume(&density),
        nuclide: "Lu-177".into(),
        method: Some(pb::Method { method: Some(crate::durable::local()) }),
        ..Default::default()
    };
    let spec = pb::JobSpec { compute: Some(header), priority: pb::JobPriority::Normal.into() };
    let message = create(&spec);
    let (came, ended) = call(channel, "dosegrid.v1.JobService/CreateJob", message, &token).await;
    ended.expect("a good job");
    let job = pb::CreateJobResponse::decode(&*came[0]).expect("an answer").job.expect("a job");
    (job.name, activity, spec)
}

fn create(spec: &pb::JobSpec) -> Vec<u8> {
    let request_id = crate::durable::request_id();
    pb::CreateJobRequest { spec: Some(spec.clone()), request_id, validate_only: false }.encode_to_vec()
}

/// The specification with another name for its activity.
fn naming(spec: &pb::JobSpec, digest: &str) -> pb::JobSpec {
    let mut spec = spec.clone();
    digest.clone_into(&mut spec.compute.as_mut().expect("a header").activity.as_mut().expect("given").digest);
    spec
}

fn pair(kind: usize, job: &str, volume: &str, spec: &pb::JobSpec, random: &mut ChaCha8Rng) -> Pair {
    let no_job = format!("jobs/{}", uuid::Uuid::from_u128(random.random()));
    let no_volume = format!("sha256:{}", sha256_hex(random.random::<u128>().to_le_bytes()));
    // Every part of a name that another has may be wrong.
    let odd = ["jobs/", "", "jobs", "JOBS/x", "../../audit", "jobs/\u{0}", "sha256:", "jobs/0"];
    let odd = odd[random.random_range(0..odd.len())];
    let jobs = |name: &str, make: fn(String) -> Vec<u8>| make(name.to_owned());
    let of_job = |call, make: fn(String) -> Vec<u8>, name: &str| Pair {
        call,
        another: jobs(name, make),
        nobody: jobs(&no_job, make),
        names: [name.to_owned(), no_job.clone()],
    };
    let of_volume = |call, make: &dyn Fn(&str) -> Vec<u8>| Pair {
        call,
        another: make(volume),
        nobody: make(&no_volume),
        names: [volume.to_owned(), no_volume.clone()],
    };
    const GET: fn(String) -> Vec<u8> = |name| pb::GetJobRequest { name }.encode_to_vec();
    match kind {
        0 => of_job("dosegrid.v1.JobService/GetJob", GET, job),
        1 => of_job("dosegrid.v1.JobService/WatchJob", |name| pb::WatchJobRequest { name }.encode_to_vec(), job),
        2 => of_job("dosegrid.v1.JobService/CancelJob", |name| pb::CancelJobRequest { name }.encode_to_vec(), job),
        3 => of_job("dosegrid.v1.JobService/DeleteJob", |name| pb::DeleteJobRequest { name }.encode_to_vec(), job),
        4 => of_volume("dosegrid.v1.VolumeService/GetVolume", &|digest| {
            pb::GetVolumeRequest { digest: digest.to_owned(), ..Default::default() }.encode_to_vec()
        }),
        5 => of_volume("dosegrid.v1.VolumeService/DeleteVolume", &|digest| {
            pb::DeleteVolumeRequest { digest: digest.to_owned() }.encode_to_vec()
        }),
        6 => of_volume("dosegrid.v1.VolumeService/CheckVolumes", &|digest| {
            pb::CheckVolumesRequest { digests: vec![digest.to_owned()] }.encode_to_vec()
        }),
        7 => of_volume("dosegrid.v1.JobService/CreateJob", &|digest| create(&naming(spec, digest))),
        8 => of_volume("dosegrid.v1.DoseService/Compute", &|digest| {
            let header = naming(spec, digest).compute.expect("a header");
            pb::ComputeRequest { message: Some(pb::compute_request::Message::Header(header)) }.encode_to_vec()
        }),
        9 => {
            let list =
                |tenant: &str| pb::ListJobsRequest { tenant: tenant.to_owned(), ..Default::default() }.encode_to_vec();
            let (another, nobody) = (list("clinic-a"), list("clinic-x"));
            let names = ["clinic-a".to_owned(), "clinic-x".to_owned()];
            Pair { call: "dosegrid.v1.JobService/ListJobs", another, nobody, names }
        }
        _ => of_job("dosegrid.v1.JobService/GetJob", GET, odd),
    }
}

const KINDS: usize = 11;

/// An answer as bytes, with the name that was asked for left out.
async fn answer(channel: &Channel, of: &Pair, is_another: bool) -> (Vec<u8>, Duration) {
    let message = if is_another { of.another.clone() } else { of.nobody.clone() };
    let begun = Instant::now();
    let (came, ended) = call(channel, of.call, message, &bearer(TOKENS[1].2)).await;
    let time = begun.elapsed();
    let mut bytes = came.concat();
    if let Err(status) = ended {
        bytes.extend(format!("{:?} {}", status.code(), status.message()).into_bytes());
        bytes.extend(status.details());
    }
    let name = of.names[usize::from(!is_another)].as_bytes();
    if !name.is_empty() {
        while let Some(at) = bytes.windows(name.len()).position(|window| window == name) {
            bytes.splice(at..at + name.len(), *b"NAME");
        }
    }
    (bytes, time)
}

/// The largest distance of two distributions, and the one that chance alone exceeds with [`PROBABILITY`]. Source:
/// Smirnov's two-sample test, asymptotic form.
fn smirnov(mut a: Vec<f64>, mut b: Vec<f64>) -> (f64, f64) {
    a.sort_unstable_by(f64::total_cmp);
    b.sort_unstable_by(f64::total_cmp);
    let below = |all: &[f64], at: f64| all.partition_point(|value| *value <= at) as f64 / all.len() as f64;
    let distance = a.iter().chain(&b).map(|at| (below(&a, *at) - below(&b, *at)).abs()).fold(0.0, f64::max);
    let (n, m) = (a.len() as f64, b.len() as f64);
    (distance, (-(PROBABILITY / 2.0).ln() / 2.0 * (n + m) / (n * m)).sqrt())
}

/// Tries all kinds in turn, and checks that both answers are the same bytes: the times of each kind [s], of what nobody
/// has and of what another has.
async fn tried() -> Vec<[Vec<f64>; 2]> {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(folder.path());
    let channel = channel(&server.url, None).await.expect("the server listens");
    let (job, volume, spec) = owned(&channel).await;
    let mut random = ChaCha8Rng::seed_from_u64(13);
    let mut times: Vec<[Vec<f64>; 2]> = vec![Default::default(); KINDS];
    let all = tries();
    for number in 0..all {
        let kind = number % KINDS;
        let pair = pair(kind, &job, &volume, &spec, &mut random);
        // Which of the two comes first is drawn: the first may find colder caches.
        let first = random.random_bool(0.5);
        let mut answers = [Vec::new(), Vec::new()];
        for is_another in [first, !first] {
            let (bytes, time) = answer(&channel, &pair, is_another).await;
            times[kind][usize::from(is_another)].push(time.as_secs_f64());
            answers[usize::from(is_another)] = bytes;
        }
        let [nobody, another] = answers.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(another, nobody, "{}", pair.call);
        assert!(!another.is_empty() || kind == 6, "{} succeeds", pair.call);
    }
    // What was tried has changed nothing for its owner.
    let get = pb::GetJobRequest { name: job }.encode_to_vec();
    let (came, ended) = call(&channel, "dosegrid.v1.JobService/GetJob", get, &bearer(TOKENS[0].2)).await;
    ended.expect("its own");
    let job = pb::GetJobResponse::decode(&*came[0]).expect("an answer").job.expect("a job");
    assert_ne!(job.state(), pb::JobState::Cancelled);
    let check = pb::CheckVolumesRequest { digests: vec![volume] }.encode_to_vec();
    let (came, _) = call(&channel, "dosegrid.v1.VolumeService/CheckVolumes", check, &bearer(TOKENS[0].2)).await;
    let volumes = pb::CheckVolumesResponse::decode(&*came[0]).expect("an answer").volumes;
    assert_eq!(volumes[0].committed_bytes, 32);
    times
}

/// Prints how far the times of each kind are apart: those that are farther than chance alone would have them.
fn told(times: Vec<[Vec<f64>; 2]>) -> Vec<String> {
    let mut far = Vec::new();
    for (kind, [nobody, another]) in times.into_iter().enumerate() {
        let median = |times: &[f64]| {
            let mut sorted = times.to_vec();
            sorted.sort_unstable_by(f64::total_cmp);
            sorted[sorted.len() / 2] * 1e3
        };
        let medians = [median(&nobody), median(&another)];
        let count = nobody.len();
        let (distance, bound) = smirnov(nobody, another);
        println!(
            "kind {kind}, {count} of each: nobody's {:.3} ms, another's {:.3} ms, distance {distance:.3} of {bound:.3}",
            medians[0], medians[1]
        );
        if distance >= bound {
            far.push(format!("kind {kind}: {distance}, above {bound}"));
        }
    }
    far
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_tenant_has_is_answered_as_what_nobody_has() {
    told(tried().await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "compares times, so it needs a quiet machine: scripts/reliability.sh"]
async fn what_another_tenant_has_takes_as_long_as_what_nobody_has() {
    let far = told(tried().await);
    assert!(far.is_empty(), "the times of the two differ: {far:?}");
}

#[test]
fn times_that_differ_are_told_from_times_that_do_not() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut sample = |shift: f64| (0..900).map(|_| shift + random.random::<f64>()).collect::<Vec<f64>>();
    let (distance, bound) = smirnov(sample(0.0), sample(0.0));
    assert!(distance < bound, "{distance} {bound}");
    let (distance, bound) = smirnov(sample(0.0), sample(0.3));
    assert!(distance > bound, "{distance} {bound}");
}
