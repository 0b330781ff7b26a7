//! Power cuts: the store is on a file system that forgets, at a signal, what was not synced. Such a file system is the
//! program of `RELIABILITY_POWERFS`, which is called with the folder to mount, the tree to begin with, the tree to
//! leave behind, a mode and a seed; `RELIABILITY_CUTS` says how often.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};

use super::Client;
use super::kills::serve;
use super::load::{AtWork, Due, Known, check_files, load};
use super::rounds::{Rounds, times};

/// How long a mount may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// After one cut of so many, all files are checked.
const CHECKED: usize = 10;

struct Mounted {
    process: Child,
    mount: PathBuf,
}

impl Mounted {
    async fn new(program: &str, mount: &Path, from: &Path, to: &Path, mode: &str, seed: usize) -> Self {
        let device = |path: &Path| rustix::fs::stat(path).expect("a folder").st_dev;
        let before = device(mount);
        let mut command = Command::new("python3");
        command.arg(program).args([mount, from, to]).args([mode, &seed.to_string()]);
        let process = command.spawn().expect("python3 is there");
        let mounted = async {
            while device(mount) == before {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, mounted).await.expect("it is mounted");
        Self { process, mount: mount.to_owned() }
    }

    /// Cuts the power, and waits until what the disk then holds is written.
    fn cut(&mut self) {
        kill_process(Pid::from_child(&self.process), Signal::USR1).expect("it runs");
        self.process.wait().expect("it is a child of this process");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // It may have ended by itself, and leaves its mount behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = Command::new("fusermount3").args(["-u", "-z"]).arg(&self.mount).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a file system that forgets: RELIABILITY_POWERFS"]
async fn power_cuts_lose_nothing_that_was_answered() {
    let program = std::env::var("RELIABILITY_POWERFS").expect("RELIABILITY_POWERFS names the program");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str, cut: usize| folder.path().join(format!("{name}-{cut}"));
    let tree = |cut| at("tree", cut);
    std::fs::create_dir(tree(0)).expect("a writable folder");
    let server = serve(&tree(0).join("store"));
    let mut client = Client::of(&server.url).await;
    let known = Known::new(&mut client, 400_000).await;
    drop(server);
    let seed = times("RELIABILITY_SEED", 3);
    let (mut random, mut due) = (ChaCha8Rng::seed_from_u64(seed as u64), Due::default());
    let rounds = Rounds::of("power cuts, the three modes in turn", "RELIABILITY_CUTS", 3);
    let mut answered = Vec::new();
    while let Some(cut) = rounds.next() {
        let mode = ["drop", "journal", "random"][cut % 3];
        let (from, to, mount) = (tree(cut), tree(cut + 1), at("mount", cut));
        std::fs::create_dir(&mount).expect("a writable folder");
        let mut mounted = Mounted::new(&program, &mount, &from, &to, mode, seed + cut).await;
        let server = serve(&mount.join("store"));
        let mut client = Client::of(&server.url).await;
        // What was answered before the cut before. It is checked while others call.
        let round = format!("cut {cut}");
        for answered in std::mem::take(&mut answered) {
            due.add(&known, &mut client, answered, &round).await;
        }
        let at_work = AtWork::nobody();
        let begin = |seed| tokio::spawn(load(client.clone(), known.specs.clone(), seed, at_work.clone()));
        let callers = [random.random(), random.random()].map(begin);
        at_work.until(2).await;
        due.check(&known, &mut client, &round).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..500))).await;
        mounted.cut();
        drop(server);
        drop(mounted);
        for caller in callers {
            answered.push(caller.await.expect("no panic"));
        }
        if cut.is_multiple_of(CHECKED) {
            check_files(&to.join("store"));
        }
        std::fs::remove_dir_all(&from).expect("own");
    }
    let last = tree(rounds.count()).join("store");
    let server = serve(&last);
    let mut client = Client::of(&server.url).await;
    for answered in answered {
        due.add(&known, &mut client, answered, "the last cut").await;
    }
    due.finish(&known, &mut client, known.specs.len()).await;
    drop(server);
    due.check_files(&last);
    let [jobs, volumes] = due.counts();
    rounds.tell(&format!("{jobs} jobs, {volumes} volumes answered, none lost"));
}
