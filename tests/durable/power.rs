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
use super::kills::{AtWork, Known, check_files, load, serve, times};

/// How long a mount may take.
const PATIENCE: Duration = Duration::from_secs(60);

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
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("tree-0")).expect("a writable folder");
    let server = serve(&at("tree-0").join("store"));
    let mut client = Client::of(&server.url).await;
    let known = Known::new(&mut client).await;
    drop(server);
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let (mut jobs, mut volumes) = (0, 0);
    let cuts = times("RELIABILITY_CUTS", 3);
    for cut in 0..cuts {
        let mode = ["drop", "journal", "random"][cut % 3];
        let (from, to, mount) =
            (at(&format!("tree-{cut}")), at(&format!("tree-{}", cut + 1)), at(&format!("mount-{cut}")));
        std::fs::create_dir(&mount).expect("a writable folder");
        let mut mounted = Mounted::new(&program, &mount, &from, &to, mode, cut).await;
        let server = serve(&mount.join("store"));
        let client = Client::of(&server.url).await;
        let seed = |caller| (1000 + 2 * cut + caller) as u64;
        let at_work = AtWork::nobody();
        let begin = |caller| tokio::spawn(load(client.clone(), known.specs.clone(), seed(caller), at_work.clone()));
        let callers = [0, 1].map(begin);
        at_work.until(2).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..2000))).await;
        mounted.cut();
        drop(server);
        drop(mounted);
        let server = serve(&to.join("store"));
        let mut client = Client::of(&server.url).await;
        for caller in callers {
            let answered = caller.await.expect("no panic");
            volumes += answered.volumes.len();
            jobs += answered.jobs.len();
            known.check(&mut client, &answered, &format!("cut {cut}, {mode}")).await;
        }
        drop(server);
        check_files(&to.join("store"));
        std::fs::remove_dir_all(&from).expect("own");
    }
    println!("{cuts} power cuts: {jobs} jobs and {volumes} volumes answered");
}
