//! Debian's Orthanc and dcmtk as destinations of many studies: both are away for a time, and the gateway is killed
//! meanwhile. Nothing is lost, nothing fails, and each has every dose once.
//!
//! `TRIAL_AWAY_S` makes them stay away for so long, `TRIAL_ARCHIVE_STUDIES` has more studies come.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::patients::{Kind, make};
use super::site::{Running, Site, files};
use super::trial::of_environment;
use crate::study::archives::{Network, Orthanc, Program};

/// The archives, with a folder each.
struct Archives<'a> {
    network: &'a Network,
    orthanc: Orthanc,
    storescp: Program<1>,
}

impl<'a> Archives<'a> {
    fn start(network: &'a Network, orthanc: &Path, got: &Path) -> Self {
        let storescp = |[port]: [u16; 1]| {
            let mut command = network.command("storescp");
            command.args(["--bit-preserving", "--output-directory"]).arg(got).arg(port.to_string());
            command
        };
        let echoes = |[port]: [u16; 1]| {
            let mut command = network.command("echoscu");
            command.args(["-aec", "STORESCP", "127.0.0.1", &port.to_string()]);
            command.output().is_ok_and(|output| output.status.success())
        };
        Self { network, orthanc: network.orthanc(orthanc), storescp: network.start([11112], storescp, echoes) }
    }

    /// The file of a gateway that sends to both.
    fn config(&self) -> String {
        let (dicom, web, storescp) = (self.orthanc.dicom, &self.orthanc.web, self.storescp.ports[0]);
        let tries = "attempts = 1000\nbackoff = '1s'";
        format!(
            "folder = 'state'\npoll = '1s'\n\
             [[source]]\nname = 'inbox'\nkind = 'folder'\npath = 'in'\nquiet = '1s'\nlimit = '1s'\n\
             [[destination]]\nname = 'orthanc'\nkind = 'c-store'\nto = 'ORTHANC@127.0.0.1:{dicom}'\n\
             read_back = '{web}'\n{tries}\n\
             [[destination]]\nname = 'dcmtk'\nkind = 'c-store'\nto = 'STORESCP@127.0.0.1:{storescp}'\n{tries}\n\
             [[rule]]\nname = 'one'\nto = ['orthanc', 'dcmtk']\nrelease = 'auto'\norgans = 'none'\n\
             [rule.compute]\nmethod = 'local'\neffective_half_life = '60h'\n"
        )
    }

    fn gateway(&self, site: &Site) -> Running {
        site.start_by(self.network.command(env!("CARGO_BIN_EXE_dosegrid")))
    }
}

/// The delivery of an item to a destination.
fn delivery<'a>(item: &'a Value, to: &str) -> &'a Value {
    let all = item["deliveries"].as_array().expect("deliveries");
    all.iter().find(|one| one["to"] == to).expect("it goes there")
}

#[test]
#[cfg_attr(any(no_orthanc, no_dcmtk), ignore = "there is no Orthanc, or no dcmtk")]
fn orthanc_and_dcmtk_get_every_dose_though_they_were_away() {
    let studies = of_environment("TRIAL_ARCHIVE_STUDIES", 4);
    let away = Duration::from_secs(of_environment("TRIAL_AWAY_S", 0) as u64);
    let network = Network::own();
    let (orthanc, got) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let archives = Archives::start(&network, orthanc.path(), got.path());
    let site = Site::with(&archives.config());
    let kinds = [Kind::Plain, Kind::Compressed];
    let put = |number: usize| {
        let made = make(&site.path().join(format!("made/{number}")), number, kinds[number % kinds.len()]);
        let stage = site.path().join(format!("stage-{number}"));
        fs::create_dir(&stage).expect("a writable folder");
        for (at, file) in made.files.iter().enumerate() {
            fs::hard_link(file, stage.join(format!("{at:02}.dcm"))).expect("a writable folder");
        }
        fs::rename(&stage, site.path().join(format!("in/{number}"))).expect("a writable folder");
    };
    let count = |items: &[Value], holds: &dyn Fn(&Value) -> bool| items.iter().filter(|item| holds(item)).count();
    let is_sent = |item: &Value| {
        item["state"] == "sent"
            && delivery(item, "orthanc")["state"] == "verified"
            && delivery(item, "dcmtk")["state"] == "unverified"
    };
    let running = archives.gateway(&site);
    (0..studies / 2).for_each(put);
    site.wait_for("some are sent", |items| count(items, &is_sent) == studies / 2);
    drop(archives);
    (studies / 2..studies).for_each(put);
    let left = Instant::now();
    let was_tried = |item: &Value| {
        item["state"] == "released" && ["orthanc", "dcmtk"].iter().all(|to| delivery(item, to)["attempts"] != 0)
    };
    site.wait_for("the others were tried", |items| count(items, &was_tried) == studies - studies / 2);
    running.kill();
    while left.elapsed() < away {
        // Killed again and again while nobody takes anything.
        let running = site.start_by(network.command(env!("CARGO_BIN_EXE_dosegrid")));
        thread::sleep(Duration::from_secs(30).min(away));
        running.kill();
    }
    assert_eq!(count(&site.items(), &was_tried), studies - studies / 2, "nothing failed, nothing was sent");
    let archives = Archives::start(&network, orthanc.path(), got.path());
    fs::write(site.path().join("gateway.toml"), archives.config()).expect("a writable folder");
    let running = archives.gateway(&site);
    // Waits between attempts double: the next one is at most as far away as all that were before it took. On a machine
    // that has much to do it may fail, and so may the one after it.
    site.wait_longer(7 * left.elapsed(), "all are sent", |items| count(items, &is_sent) == studies);
    drop(running);
    let items = site.items();
    assert_eq!(items.len(), studies);
    let came = files(got.path());
    assert_eq!(came.len(), studies, "{came:?}");
    for item in &items {
        let uid = item["objects"][0]["instance"].as_str().expect("a UID");
        let own = site.path().join("state/results").join(item["id"].as_str().expect("an id")).join("dose.dcm");
        let own = fs::read(own).expect("the result");
        let file = came.iter().find(|path| path.to_string_lossy().contains(uid)).expect("dcmtk has it");
        let came = fs::read(file).expect("a file");
        // The file meta information is of who writes it, the data set is the same.
        let data_set = |file: &[u8]| {
            let length = u32::from_le_bytes(file[140..144].try_into().expect("four bytes"));
            file[144 + length as usize..].to_vec()
        };
        assert!(data_set(&own) == data_set(&came), "{uid}");
    }
}
