//! A name that no program has, in every text of every request, in what stands around a call, and in the files of the
//! command line: it is in no error, log, metric or audit record, and in the ledger only where a job was accepted with
//! it. Tenants and identities have names of their own here: those are in the audit log, and nowhere else.

mod fields;

use std::fs;
use std::path::{Path, PathBuf};

use dosegrid::api::pb::{self, activity_unit::Unit};
use dosegrid::digest::sha256_hex;
use prost::Message;
use tonic::Status;
use tonic::transport::Channel;

use super::channel;
use super::metrics::{get, metrics_address};
use crate::durable::{local, monte_carlo, request_id};
use crate::support::command::{Server, dosegrid, stderr};
use crate::support::raw::call;

/// The name, in small letters; what is found is found in any letters.
const CANARY: &str = "zsazsa";
/// Of the caller; its name and its tenant are in the audit log.
const TOKEN: &str = "zsazsa-token-9c1f";
const IDENTITY: &str = "Wqueen Desk";
const TENANT: &str = "wqueen-ward";

fn holds(text: &[u8], what: &str) -> bool {
    text.to_ascii_lowercase().windows(what.len()).any(|window| window == what.as_bytes())
}

/// The ways in which the name of a text is written: a word that may be a name of something, and that of a patient.
fn written(number: usize) -> [String; 2] {
    [format!("{CANARY}{number:04}"), format!("Zsazsa{number:04}^Anna\n1953-04-01 {{\"fields\"}}")]
}

struct Site {
    folder: tempfile::TempDir,
    server: Server,
    metrics: String,
    channel: Channel,
    spec: pb::JobSpec,
    labels: String,
    /// An activity of which no number is one.
    nan: String,
}

impl Site {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("identities.toml");
        let roles = "roles = [\"submit\"]";
        let token = sha256_hex(TOKEN);
        let identity = format!("[[identity]]\nname = \"{IDENTITY}\"\ntenant = \"{TENANT}\"\n{roles}\n");
        fs::write(&path, format!("{identity}token_sha256 = \"{token}\"\n")).expect("a writable folder");
        let flags = [
            format!("--identities={}", path.display()),
            format!("--store={}", folder.path().join("store").display()),
            "--store-reserve-mib=0".to_owned(),
            "--metrics-listen=127.0.0.1:0".to_owned(),
        ];
        let server = Server::with("127.0.0.1:0", &flags);
        let metrics = metrics_address(&server);
        let channel = channel(&server.url, None).await.expect("the server listens");
        let (spec, labels, nan) = Default::default();
        let mut site = Self { folder, server, metrics, channel, spec, labels, nan };
        let ones = |value: f32| (0..8).flat_map(move |_| value.to_le_bytes()).collect::<Vec<u8>>();
        let [activity, density] = [site.put(&ones(1e6)).await, site.put(&ones(1.0)).await];
        site.labels = site.put(&[0, 1, 0, 0, 0, 0, 0, 0]).await;
        site.nan = site.put(&ones(f32::NAN)).await;
        let compute = pb::ComputeHeader {
            activity: volume(&activity, pb::ElementType::Float32),
            activity_unit: Some(pb::ActivityUnit { unit: Some(Unit::BqS(pb::TimeIntegratedBqS {})) }),
            density: volume(&density, pb::ElementType::Float32),
            nuclide: "Lu-177".into(),
            method: Some(pb::Method { method: Some(local()) }),
            ..Default::default()
        };
        site.spec = pb::JobSpec { compute: Some(compute), priority: pb::JobPriority::Normal.into() };
        site
    }

    async fn call(&self, name: &str, message: Vec<u8>) -> (Vec<Vec<u8>>, Result<(), Status>) {
        call(&self.channel, name, message, &[("authorization", format!("Bearer {TOKEN}"))]).await
    }

    async fn put(&self, bytes: &[u8]) -> String {
        let digest = format!("sha256:{}", sha256_hex(bytes));
        let message = put(&digest, bytes);
        self.call("dosegrid.v1.VolumeService/PutVolume", message).await.1.expect("room");
        digest
    }

    /// A request that is good without a text of the caller's own, as far as a call has one.
    fn good(&self, call: &str) -> Vec<u8> {
        match call.rsplit('/').next() {
            Some("Compute") => of_compute(self.spec.compute.clone()),
            Some("CreateJob") => create(&self.spec),
            Some("ComputeKernel") => pb::ComputeKernelRequest {
                nuclide: "Lu-177".into(),
                spacing_mm: vec![3.0; 3],
                radius_voxels: 1,
                ..Default::default()
            }
            .encode_to_vec(),
            Some("PutVolume") => put(&format!("sha256:{}", sha256_hex("others")), b"others"),
            _ => Vec::new(),
        }
    }

    /// Waits for a job that was accepted to end, and checks what is said of it.
    async fn ended(&self, name: &str, what: &str) {
        let watch = pb::WatchJobRequest { name: name.to_owned() }.encode_to_vec();
        let (_, ended) = self.call("dosegrid.v1.JobService/WatchJob", watch).await;
        ended.expect("it ends");
        let get = pb::GetJobRequest { name: name.to_owned() }.encode_to_vec();
        let (came, _) = self.call("dosegrid.v1.JobService/GetJob", get).await;
        let job = pb::GetJobResponse::decode(&*came[0]).expect("an answer").job.expect("a job");
        let said = format!("{:?} {:?}", job.error, job.result.map(|result| result.warnings));
        assert!(!holds(said.as_bytes(), CANARY), "{what}: {said}");
    }
}

fn volume(digest: &str, element_type: pb::ElementType) -> Option<pb::VolumeDescriptor> {
    let grid = pb::VoxelGrid { shape: vec![2; 3], spacing_mm: vec![3.0; 3], affine_mm: Vec::new() };
    let (grid, element_type, digest) = (Some(grid), element_type.into(), digest.to_owned());
    Some(pb::VolumeDescriptor { grid, element_type, digest, ..Default::default() })
}

fn put(digest: &str, bytes: &[u8]) -> Vec<u8> {
    let (digest, size_bytes, data) = (digest.to_owned(), bytes.len() as u64, bytes.to_vec().into());
    pb::PutVolumeRequest { digest, size_bytes, data, ..Default::default() }.encode_to_vec()
}

fn create(spec: &pb::JobSpec) -> Vec<u8> {
    let (spec, request_id) = (Some(spec.clone()), request_id());
    pb::CreateJobRequest { spec, request_id, validate_only: false }.encode_to_vec()
}

fn of_compute(header: Option<pb::ComputeHeader>) -> Vec<u8> {
    pb::ComputeRequest { message: header.map(pb::compute_request::Message::Header) }.encode_to_vec()
}

/// Errors that have something of the caller's text.
#[derive(Default)]
struct Said(Vec<String>);

impl Said {
    fn look(&mut self, what: &str, ended: &Result<(), Status>) {
        if let Err(status) = ended {
            let details = String::from_utf8_lossy(status.details());
            let said = format!("{:?} {} {:?} {details}", status.code(), status.message(), status.metadata());
            if holds(said.as_bytes(), CANARY) {
                self.0.push(format!("{what}: {said}"));
            }
        }
    }
}

/// Jobs whose texts are good: names of labels, and a material of the caller's own.
fn accepted(site: &Site) -> Vec<pb::JobSpec> {
    let compute = site.spec.compute.clone().expect("a header");
    let named = pb::ComputeHeader {
        labels: volume(&site.labels, pb::ElementType::Uint8),
        label_names: [(1, format!("{CANARY}-label")), (7, format!("{CANARY}-label-that-is-not-there"))].into(),
        dose_volume_points: Some(10),
        ..compute
    };
    let definition = pb::MaterialDefinition {
        nominal_density_g_cm3: 1.0,
        mean_excitation_energy_ev: 70.0,
        mass_fractions: [("H".to_owned(), 0.1), ("C".to_owned(), 0.9)].into(),
        source: format!("{CANARY}-source"),
    };
    let material = pb::Material { name: format!("{CANARY}-material"), definition: Some(definition) };
    let pb::method::Method::MonteCarlo(options) = monte_carlo(2000) else { panic!("the method is that") };
    let medium = Some(pb::Medium { medium: Some(pb::medium::Medium::Uniform(material)) });
    let transport = pb::method::Method::MonteCarlo(pb::MonteCarloMethod { medium, ..options });
    let own = pb::ComputeHeader { method: Some(pb::Method { method: Some(transport) }), ..named.clone() };
    // Its values are bad, which only the job finds.
    let bad = pb::ComputeHeader { activity: volume(&site.nan, pb::ElementType::Float32), ..named.clone() };
    [named, own, bad].map(|header| pb::JobSpec { compute: Some(header), ..site.spec.clone() }).into()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The command line, with files whose names and texts have the name.
fn send_files(site: &Site) {
    let folder = crate::cli::inputs();
    let path = folder.path();
    for file in ["activity.nii", "ct.nii", "labels.nii"] {
        let mut bytes = fs::read(path.join(file)).expect("it is there");
        // Texts of the header: what it is called, what it is, and of what.
        for (at, size) in [(4, 10), (14, 18), (148, 80), (228, 24), (328, 16)] {
            let text = format!("{CANARY}{at:04}").into_bytes();
            bytes[at..at + size].fill(0);
            bytes[at..at + size.min(text.len())].copy_from_slice(&text[..size.min(text.len())]);
        }
        fs::write(path.join(format!("{CANARY}-{file}")), bytes).expect("a writable folder");
    }
    fs::write(path.join("names.csv"), format!("label,name\n1,{CANARY}-organ\n")).expect("a writable folder");
    let token = path.join("token");
    fs::write(&token, TOKEN).expect("a writable folder");
    let given = [
        format!("--activity={CANARY}-activity.nii"),
        format!("--labels={CANARY}-labels.nii"),
        format!("--server={}", site.server.url),
        format!("--token-file={}", token.display()),
        "--label-names=names.csv".to_owned(),
    ];
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let output = dosegrid(path, crate::cli::flags(&["activity", "labels"], &given));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    // What the files say of themselves is in nothing that is written, here or there.
    for file in ["result.json", "dose.nii.gz", "organs.csv"] {
        let bytes = fs::read(path.join(file)).unwrap_or_default();
        let mut text = Vec::new();
        if std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*bytes), &mut text).is_err() {
            text = bytes;
        }
        assert!(!holds(&text, &format!("{CANARY}0")), "{file}: {}", String::from_utf8_lossy(&text));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_said_nowhere_but_where_it_was_put() {
    let site = Site::start().await;
    let texts = fields::texts();
    assert!(texts.len() > 60, "{}", texts.len());
    let mut jobs: Vec<(String, String)> = Vec::new();
    let (mut in_ledger, mut said) = (Vec::new(), Said::default());
    for (number, text) in texts.iter().enumerate() {
        for name in written(number) {
            let message = [site.good(&text.call), text.with(&name)].concat();
            let (came, ended) = site.call(&text.call, message).await;
            if text.call.ends_with("/CreateJob") && ended.is_ok() {
                let job = pb::CreateJobResponse::decode(&*came[0]).expect("an answer").job.expect("a job");
                jobs.push((job.name, text.name.clone()));
                in_ledger.push(format!("{CANARY}{number:04}"));
            }
            said.look(&text.name, &ended);
        }
    }
    for (number, spec) in accepted(&site).iter().enumerate() {
        let (came, ended) = site.call("dosegrid.v1.JobService/CreateJob", create(spec)).await;
        ended.expect("its header is good");
        let job = pb::CreateJobResponse::decode(&*came[0]).expect("an answer").job.expect("a job");
        jobs.push((job.name, format!("good texts {number}")));
        let (_, ended) = site.call("dosegrid.v1.DoseService/Compute", of_compute(spec.compute.clone())).await;
        said.look("Compute", &ended);
    }
    in_ledger.extend(["label", "source", "material", "organ"].map(|what| format!("{CANARY}-{what}")));
    for (name, what) in &jobs {
        site.ended(name, what).await;
    }
    // What stands around a call.
    let about = [
        ("authorization", format!("Bearer {CANARY}-other")),
        ("authorization", format!("Basic {CANARY}")),
        ("x-request-id", format!("{CANARY} of no good form")),
        ("traceparent", format!("00-{CANARY}-01")),
        ("tracestate", format!("{CANARY}=1")),
        ("grpc-timeout", format!("{CANARY}S")),
        ("user-agent", CANARY.to_owned()),
        ("x-patient", CANARY.to_owned()),
    ];
    for (key, value) in about {
        let metadata = [("authorization", format!("Bearer {TOKEN}")), (key, value)];
        let (_, ended) = call(&site.channel, "dosegrid.v1.DoseService/GetServerInfo", Vec::new(), &metadata).await;
        said.look(key, &ended);
    }
    for path in [format!("dosegrid.v1.DoseService/{CANARY}"), format!("{CANARY}.v1.X/Y")] {
        let (_, ended) = site.call(&path, Vec::new()).await;
        said.look("the name of a call", &ended);
    }
    assert!(said.0.is_empty(), "{}", said.0.join("\n"));
    send_files(&site);
    let (_, page) = get(&site.metrics, "/metrics");
    let log = site.server.rest_of_log().join("\n");
    assert!(log.lines().count() > texts.len() && log.contains("INVALID_REQUEST"), "{log}");
    for (what, text) in [("metrics", &page), ("log", &log)] {
        let line = text.lines().find(|line| holds(line.as_bytes(), CANARY) || holds(line.as_bytes(), "wqueen"));
        assert!(line.is_none(), "{what}: {line:?}");
    }
    let store = site.folder.path().join("store");
    let all = files(&store);
    let audit = fs::read(store.join("audit/000001.log")).expect("a log");
    assert!(holds(&audit, TENANT) && holds(&audit, &IDENTITY.to_ascii_lowercase()) && !holds(&audit, CANARY));
    // Volumes have what they were sent with: names of organs stand in a tally.
    let may_hold = |path: &Path| path.ends_with("ledger") || path.starts_with(store.join("volumes"));
    for path in all.iter().filter(|path| !may_hold(path)) {
        assert!(!holds(&fs::read(path).expect("a file"), CANARY), "{}", path.display());
    }
    // A refused request leaves nothing in the ledger.
    let ledger = fs::read(store.join("ledger")).expect("a ledger").to_ascii_lowercase();
    let found = ledger.windows(CANARY.len()).enumerate().filter(|(_, window)| *window == CANARY.as_bytes());
    for (at, _) in found {
        let text = String::from_utf8_lossy(&ledger[at..(at + 16).min(ledger.len())]).into_owned();
        assert!(in_ledger.iter().any(|known| text.starts_with(known.as_str())), "{text}");
    }
}
