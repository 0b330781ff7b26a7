//! Many studies, some with what goes wrong, from a folder, by C-STORE and by STOW-RS; an archive that refuses, forgets,
//! is slow and is away; and a gateway that is killed at random points. Every study ends once, in the right state.
//!
//! `TRIAL_STUDIES`, `TRIAL_KILLS` and `TRIAL_SEED` make it longer, or another.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::network::{free_port, posted};
use super::patients::{Kind, Made, make, name};
use super::site::{Site, files};
use crate::study::servers::{Answer, Asked, web};
use crate::support::command::{dosegrid, succeed};

/// After so long, what is sent is taken not to arrive: a safety net, and no measure of speed.
const PATIENCE: Duration = Duration::from_secs(1200);
/// Longest time that a gateway has before it is killed [ms].
const LONGEST_MS: u64 = 4000;

pub(super) fn of_environment(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// What an archive has, and what it was sent.
#[derive(Default)]
struct Archive {
    kept: BTreeMap<String, Vec<u8>>,
    /// Files that came under a UID.
    came: BTreeMap<String, BTreeSet<Vec<u8>>>,
    /// How often it stored, refused, forgot, ended the connection, and was slow.
    counts: [usize; 5],
}

/// Answers as an archive with bad habits does.
fn answer(archive: &Mutex<Archive>, rng: &Mutex<ChaCha8Rng>, is_away: &AtomicBool, asked: &Asked) -> Answer {
    let json = |status: u16, text: String| (status, "application/dicom+json".to_owned(), text.into_bytes());
    if is_away.load(Ordering::SeqCst) {
        return json(0, String::new());
    }
    if !asked.line.starts_with("POST") {
        let uid = asked.line.rsplit('/').next().unwrap_or_default();
        let kept = archive.lock().expect("no panic").kept.get(uid).cloned();
        let Some(bytes) = kept else { return (404, "text/plain".to_owned(), Vec::new()) };
        let body = [b"--b\r\nContent-Type: application/dicom\r\n\r\n", &bytes[..], b"\r\n--b--\r\n"].concat();
        return (200, "multipart/related; type=\"application/dicom\"; boundary=b".to_owned(), body);
    }
    let (uid, file) = posted(asked);
    let habit = rng.lock().expect("no panic").random_range(0..8);
    if habit == 4 {
        thread::sleep(Duration::from_millis(500));
    }
    let mut archive = archive.lock().expect("no panic");
    archive.came.entry(uid.clone()).or_default().insert(file.to_vec());
    archive.counts[if (1..5).contains(&habit) { habit } else { 0 }] += 1;
    let item = format!(r#"{{"00081155":{{"vr":"UI","Value":["{uid}"]}}"#);
    let stored = json(200, format!(r#"{{"00081199":{{"vr":"SQ","Value":[{item}}}]}}}}"#));
    match habit {
        1 => json(
            409,
            format!(r#"{{"00081198":{{"vr":"SQ","Value":[{item},"00081197":{{"vr":"US","Value":[272]}}}}]}}}}"#),
        ),
        2 => stored,
        // The answer to what was stored is lost every other time.
        3 => {
            if archive.counts[3].is_multiple_of(2) {
                archive.kept.entry(uid).or_insert_with(|| file.to_vec());
            }
            json(0, String::new())
        }
        _ => {
            archive.kept.entry(uid).or_insert_with(|| file.to_vec());
            stored
        }
    }
}

/// How files come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Folder,
    Store,
    Web,
}

/// Files that come together.
struct Feed {
    way: Way,
    name: String,
    files: Vec<PathBuf>,
    /// The start of the gateway from which on they may come.
    round: usize,
}

/// Who sends all of it, and the archive that it ends in.
struct Trial {
    site: Site,
    ports: [u16; 2],
    archive: Arc<Mutex<Archive>>,
    is_away: Arc<AtomicBool>,
}

impl Trial {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        let (archive, is_away) = (Arc::<Mutex<Archive>>::default(), Arc::<AtomicBool>::default());
        let (seen, away, habits) =
            (archive.clone(), is_away.clone(), Mutex::new(ChaCha8Rng::seed_from_u64(rng.random())));
        let (url, _) = web(move |asked| answer(&seen, &habits, &away, asked));
        let ports = [free_port(), free_port()];
        let text = format!(
            "folder = 'state'\npoll = '1s'\n\
             [[source]]\nname = 'inbox'\nkind = 'folder'\npath = 'in'\nquiet = '1s'\nlimit = '1s'\n\
             [[source]]\nname = 'store'\nkind = 'c-store'\nlisten = '127.0.0.1:{}'\ncalled = 'DOSEGRID'\n\
             quiet = '20s'\nlimit = '20s'\n\
             [[source]]\nname = 'web'\nkind = 'stow-rs'\nlisten = '127.0.0.1:{}'\nquiet = '20s'\nlimit = '20s'\n\
             [[destination]]\nname = 'archive'\nkind = 'dicom-web'\nurl = '{url}'\nattempts = 1000\nbackoff = '1s'\n\
             [[destination]]\nname = 'out'\nkind = 'folder'\npath = 'out'\n\
             [[rule]]\nname = 'two'\nto = ['archive', 'out']\nrelease = 'auto'\norgans = 'none'\n\
             activity = {{ description = 'two*' }}\n[rule.compute]\nmethod = 'local'\n\
             [[rule]]\nname = 'one'\nto = ['archive', 'out']\nrelease = 'auto'\norgans = 'none'\n\
             [rule.compute]\nmethod = 'local'\neffective_half_life = '60h'\n",
            ports[0], ports[1]
        );
        Self { site: Site::with(&text), ports, archive, is_away }
    }

    /// What comes, in random order. What has an end of its own comes by the folder, where each study comes at once.
    fn feeds(&self, made: &[Made], rounds: usize, rng: &mut ChaCha8Rng) -> Vec<Feed> {
        let mut feeds = Vec::new();
        for one in made {
            let is_sent = matches!(one.kind, Kind::Plain | Kind::Compressed | Kind::TwoScans | Kind::Twice);
            let way = [Way::Folder, Way::Store, Way::Web][if is_sent { one.number / 2 % 3 } else { 0 }];
            let round = rng.random_range(0..rounds.max(1));
            let mut files = one.files.clone();
            files.shuffle(rng);
            let feed = |way, name: &str, files: Vec<PathBuf>, round| Feed {
                way,
                name: format!("{}{name}", one.number),
                files,
                round,
            };
            feeds.push(feed(way, "", files.clone(), round));
            if one.kind == Kind::Twice {
                // Another way: its files then have file meta information of their own.
                let other = if one.number.is_multiple_of(2) { Way::Web } else { Way::Store };
                feeds.push(feed(other, "-again", files, round + 1));
            }
            feeds.extend(one.late.iter().map(|late| feed(way, "-late", vec![late.clone()], round + 2)));
        }
        feeds.shuffle(rng);
        feeds.sort_by_key(|feed| feed.round);
        feeds
    }

    /// Lets files come; whether all of them did.
    fn comes(&self, feed: &Feed) -> bool {
        let to = match feed.way {
            Way::Store => format!("--to=DOSEGRID@127.0.0.1:{}", self.ports[0]),
            Way::Web => format!("--dicom-web=http://127.0.0.1:{}", self.ports[1]),
            Way::Folder => {
                self.put(feed);
                return true;
            }
        };
        let paths: Vec<String> = feed.files.iter().map(|path| path.display().to_string()).collect();
        let words = ["send", &to].into_iter().chain(paths.iter().map(String::as_str));
        dosegrid(self.site.path(), words).status.success()
    }

    /// Puts files into the inbox, all at once.
    fn put(&self, feed: &Feed) {
        let stage = self.site.path().join("stage").join(&feed.name);
        fs::create_dir_all(&stage).expect("a writable folder");
        for (number, file) in feed.files.iter().enumerate() {
            fs::hard_link(file, stage.join(format!("{number:02}.dcm"))).expect("a writable folder");
        }
        fs::rename(&stage, self.site.path().join("in").join(&feed.name)).expect("a writable folder");
    }

    /// Starts the gateway, lets come what is due, and kills it at a random time.
    fn round(&self, round: usize, feeds: &mut Vec<Feed>, rng: &mut ChaCha8Rng) {
        let running = self.site.start();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| self.feed(feeds, |feed| feed.round <= round, || is_over.load(Ordering::SeqCst)));
            thread::sleep(Duration::from_millis(rng.random_range(50..LONGEST_MS)));
            is_over.store(true, Ordering::SeqCst);
            running.kill();
        });
    }

    /// Lets come what is due, in order, and again what did not arrive.
    fn feed(&self, feeds: &mut Vec<Feed>, is_due: impl Fn(&Feed) -> bool, is_over: impl Fn() -> bool) {
        while !is_over() {
            let Some(next) = feeds.iter().position(&is_due) else { return };
            if self.comes(&feeds[next]) {
                feeds.remove(next);
            } else {
                // It begins, or was killed.
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

#[test]
fn every_study_ends_once_whatever_is_lost() {
    let (studies, kills) = (of_environment("TRIAL_STUDIES", Kind::ALL.len()), of_environment("TRIAL_KILLS", 8));
    let seed = of_environment("TRIAL_SEED", 1);
    let start = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
    let trial = Trial::new(&mut rng);
    let site = &trial.site;
    let patient =
        |number: usize| make(&site.path().join(format!("made/{number}")), number, Kind::ALL[number % Kind::ALL.len()]);
    let made: Vec<Made> = (0..studies).map(patient).collect();
    let mut feeds = trial.feeds(&made, kills * 2 / 3, &mut rng);
    for round in 0..kills {
        trial.is_away.store((kills / 3..kills / 2).contains(&round), Ordering::SeqCst);
        trial.round(round, &mut feeds, &mut rng);
    }
    trial.is_away.store(false, Ordering::SeqCst);
    let running = site.start();
    let last = Instant::now();
    trial.feed(&mut feeds, |_| true, || last.elapsed() > PATIENCE);
    assert!(feeds.is_empty(), "the gateway takes nothing any more");
    drop(running);
    site.run();
    let items = ended(&trial, &made);
    stored(&trial, &made, &items);
    tells_nothing(site, studies);
    // What was made, fed back, is nothing new.
    for (number, (path, _)) in site.delivered().iter().enumerate() {
        fs::copy(path, site.path().join(format!("in/own-{number}.dcm"))).expect("a writable folder");
    }
    site.run();
    assert_eq!(site.items(), items);
    let counts = trial.archive.lock().expect("no panic").counts;
    let versions = items.len();
    eprintln!(
        "{studies} studies, {kills} kills, seed {seed}: {versions} versions; the archive stored {}, refused {}, \
         forgot {}, ended {}, was slow {}; {} s",
        counts[0],
        counts[1],
        counts[2],
        counts[3],
        counts[4],
        start.elapsed().as_secs()
    );
}

fn text<'a>(item: &'a Value, key: &str) -> &'a str {
    item[key].as_str().unwrap_or_default()
}

/// Asserts that every study has come to its end; the items.
fn ended(trial: &Trial, made: &[Made]) -> Vec<Value> {
    let items = trial.site.items();
    let list =
        || items.iter().map(|item| format!("{} {}\n", text(item, "state"), text(item, "reason"))).collect::<String>();
    for one in made.iter().filter(|one| one.kind.aside().is_none()) {
        let of_it = |item: &&Value| item["objects"][0]["study"] == one.study.as_str();
        let versions: Vec<&Value> = items.iter().filter(of_it).collect();
        let last = versions.iter().max_by_key(|item| item["version"].as_u64());
        let last = last.unwrap_or_else(|| panic!("{one:?} has no dose: {}", list()));
        assert_eq!(text(last, "state"), "verified", "{one:?}: {}", list());
        let files = one.files.len() + usize::from(one.late.is_some());
        assert_eq!(last["inputs"].as_array().map(Vec::len), Some(files), "{one:?}");
    }
    let aside: Vec<&str> =
        items.iter().filter(|item| item["state"] == "aside").map(|item| text(item, "reason")).collect();
    for kind in Kind::ALL {
        let Some(words) = kind.aside() else { continue };
        let found = aside.iter().filter(|reason| reason.contains(words)).count();
        let expected = made.iter().filter(|one| one.kind == kind).count();
        assert_eq!(found, expected, "{kind:?}: {}", list());
    }
    assert_eq!(aside.len(), made.iter().filter(|one| one.kind.aside().is_some()).count(), "{}", list());
    // What was sent with a long pause has versions before the last.
    let is_replaced = |reason: &str| reason.contains("takes its place") || reason.contains("no rule meets a series");
    let is_end =
        |item: &&Value| matches!(text(item, "state"), "verified" | "aside") || is_replaced(text(item, "reason"));
    assert!(items.iter().all(|item| is_end(&item)), "{}", list());
    for name in ["spool", "receiving", "work"] {
        let left = files(&trial.site.path().join("state").join(name));
        assert!(left.is_empty(), "{name}: {left:?}");
    }
    items
}

/// Asserts that archive and folder have each dose as it was made, with the name of its patient, and nothing else.
fn stored(trial: &Trial, made: &[Made], items: &[Value]) {
    let archive = trial.archive.lock().expect("no panic");
    let mut known = BTreeSet::new();
    for item in items.iter().filter(|item| item["state"] == "verified") {
        let object = &item["objects"][0];
        let path = trial.site.path().join("state/results").join(text(item, "id")).join(text(object, "file"));
        let dose = fs::read(path).expect("the result");
        let uid = text(object, "instance");
        assert_eq!(archive.kept.get(uid), Some(&dose), "{uid}");
        let one = made.iter().find(|one| object["study"] == one.study.as_str()).expect("one of them");
        let (_, name) = name(one.number);
        assert!(dose.windows(name.len()).any(|part| part == name), "{one:?} has another name");
        known.insert(uid.to_owned());
        let place = trial.site.path().join("out").join(&one.study).join(format!("{uid}.dcm"));
        assert!(fs::read(place).expect("it was delivered") == dose, "{uid}");
    }
    for (uid, came) in &archive.came {
        assert_eq!(came.len(), 1, "{uid} came with several bytes");
    }
    let skipped = items.iter().filter(|item| item["state"] == "skipped").count();
    assert!(archive.kept.keys().filter(|uid| !known.contains(*uid)).count() <= skipped, "what no item knows was sent");
    assert!(trial.site.delivered().len() <= known.len() + skipped);
}

/// Asserts that nothing that is written for people tells of a patient.
fn tells_nothing(site: &Site, studies: usize) {
    let mut told = fs::read(site.path().join("log")).expect("a log");
    for path in files(&site.path().join("state/audit")) {
        told.extend(fs::read(path).expect("a file"));
    }
    told.extend(site.asked(&["list"]).into_bytes());
    let words = (0..studies).map(|number| name(number).1).chain([b"CANARY".to_vec()]);
    for word in words {
        assert!(!told.windows(word.len()).any(|part| part == word), "{}", String::from_utf8_lossy(&word));
    }
    succeed(site.path(), ["audit", "verify", "--store", "state"]);
}
