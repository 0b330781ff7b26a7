//! `dosegrid view`: a folder of results without a server.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use dosegrid::formats::volume_file::read_volume;
use serde_json::json;

use super::{OWN, Page};
use crate::cli::{flags, inputs};
use crate::support::command::{dosegrid, stderr, succeed};

/// The command, until it is dropped.
struct Viewer(Child);

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_folder_of_results_is_shown_to_this_machine_alone() {
    let folder = inputs();
    succeed(folder.path(), flags(&[], &["--report=report.html", "--report-data=kept"]));
    let beyond = dosegrid(folder.path(), ["view", "kept", "--listen", "0.0.0.0:0"]);
    assert_eq!(beyond.status.code(), Some(2));
    assert!(stderr(&beyond).contains("listen: is beyond this machine"), "{}", stderr(&beyond));
    let absent = dosegrid(folder.path(), ["view", "."]);
    assert_eq!(absent.status.code(), Some(2), "{}", stderr(&absent));
    let mut command = Command::new(env!("CARGO_BIN_EXE_dosegrid"));
    let command = command.current_dir(folder.path()).args(["view", "kept"]).stdout(Stdio::piped());
    let mut viewer = Viewer(command.spawn().expect("the binary is built"));
    let mut line = String::new();
    BufReader::new(viewer.0.stdout.take().expect("piped")).read_line(&mut line).expect("an address");
    let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix("/view")).expect("an address");
    let page = Page(address.to_owned());
    assert_eq!(page.send("GET", "/view", "").code, 200);
    assert_eq!(page.send("GET", "/view", "Host: attacker.example\r\n").refusal(), (421, "WRONG_HOST".to_owned()));
    assert_eq!(page.send("GET", "/api/results/folder", "").refusal(), (403, "NOT_THIS_PAGE".to_owned()));
    assert_eq!(page.get("/api/volumes/none").refusal(), (404, "UNKNOWN_PAGE".to_owned()));
    let result = page.get("/api/results/folder").json()["result"].clone();
    let dose = read_volume(&folder.path().join("dose.nii.gz")).expect("the dose").volume;
    assert_eq!(result["dose"]["shape"], json!(dose.grid().shape()));
    assert_eq!(result["dose"]["affine_mm"], json!(dose.grid().affine()));
    let bytes: Vec<u8> = dose.as_slice().iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(page.get("/api/volumes/dose").body, bytes);
    let part = page.send("GET", "/api/volumes/dose", &format!("{OWN}Range: bytes=-8\r\n"));
    assert_eq!((part.code, &part.body[..]), (206, &bytes[bytes.len() - 8..]));
    // Every organ of the table has its voxels.
    let organs = result["organs"].as_array().expect("organs");
    assert!(!organs.is_empty());
    for (organ, mask) in organs.iter().zip(result["organ_masks"].as_array().expect("masks")) {
        assert_eq!(organ["label"], mask["label"]);
        let name = mask["mask"]["volume"].as_str().expect("a name");
        let shares = page.get(&format!("/api/volumes/{name}")).body;
        let inside =
            shares.chunks_exact(4).filter(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]) > 0.0);
        assert_eq!(organ["voxels"], json!(inside.count()), "{name}");
    }
}
