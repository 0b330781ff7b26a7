//! Says which tests cannot be made here, so that they are shown as ignored and never as passed.
//!
//! Names for `cfg_attr(…, ignore = "…")`: `no_gpu_driver`, `no_nats`, `no_orthanc`, `no_dcmtk`, `no_reference`,
//! `no_clinic_cases` and `no_dicom_cases`. What is found when the crate is built decides; a test that is not ignored
//! fails if it then lacks what it needs.

use std::env;
use std::path::{Path, PathBuf};

/// One file of the reference data stands for all.
const REFERENCE_FILE: &str = "patient/activity_bq.nii.gz";
/// Variables that name driver files of Vulkan, in place of the folders that are searched.
const DRIVER_FILES: [&str; 2] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];
/// The plugin of Orthanc for DICOMweb, as Debian installs it.
const ORTHANC_PLUGIN: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";

/// Beside the folder of the reference data: one file of the cases of time integration stands for all.
const CLINIC_FILE: &str = "../cases-clinic/curves.json";
/// And one of the DICOM cases.
const DICOM_FILE: &str = "../cases-dicom/README.md";

/// Emits the names.
pub(crate) fn emit() {
    flag("no_gpu_driver", "REQUIRE_GPU", gpu_driver);
    flag("no_nats", "REQUIRE_NATS", || program("nats-server"));
    flag("no_orthanc", "REQUIRE_ORTHANC", || program("Orthanc") && Path::new(ORTHANC_PLUGIN).exists());
    flag("no_dcmtk", "REQUIRE_DCMTK", || ["storescp", "echoscu", "findscu", "getscu"].into_iter().all(program));
    flag("no_reference", "REQUIRE_REFERENCE", || reference(REFERENCE_FILE));
    flag("no_clinic_cases", "REQUIRE_REFERENCE", || reference(CLINIC_FILE));
    flag("no_dicom_cases", "REQUIRE_REFERENCE", || reference(DICOM_FILE));
}

/// Emits `name` where something is absent. `1` in the variable takes it to be there, `0` takes it to be absent.
fn flag(name: &str, variable: &str, is_there: fn() -> bool) {
    println!("cargo::rustc-check-cfg=cfg({name})");
    println!("cargo::rerun-if-env-changed={variable}");
    let is_there = match env::var(variable).as_deref() {
        Ok("1") => true,
        Ok("0") => false,
        _ => is_there(),
    };
    if !is_there {
        println!("cargo::rustc-cfg={name}");
    }
}

/// Whether Vulkan has a driver. On systems with another interface to the GPU, one is taken to be there.
fn gpu_driver() -> bool {
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return true;
    }
    let mut named = DRIVER_FILES.into_iter().filter_map(|variable| {
        println!("cargo::rerun-if-env-changed={variable}");
        env::var_os(variable)
    });
    match named.next() {
        Some(files) => env::split_paths(&files).any(|file| file.exists()),
        None => driver_folders().iter().any(|folder| holds_a_driver(folder)),
    }
}

/// Whether a program is where programs are. Debian puts some where only root looks.
fn program(name: &str) -> bool {
    println!("cargo::rerun-if-env-changed=PATH");
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).any(|program| program.exists())
}

/// Where the Vulkan loader looks for drivers.
fn driver_folders() -> Vec<PathBuf> {
    let fixed = ["/etc", "/etc/xdg", "/usr/local/etc", "/usr/local/share", "/usr/share"].map(PathBuf::from);
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".local/share"));
    let listed = env::var_os("XDG_DATA_DIRS").unwrap_or_default();
    let folders = fixed.into_iter().chain(home).chain(env::split_paths(&listed).collect::<Vec<_>>());
    folders.map(|folder| folder.join("vulkan/icd.d")).collect()
}

fn holds_a_driver(folder: &Path) -> bool {
    let Ok(mut files) = folder.read_dir() else { return false };
    // Only folders that exist: cargo would take one that does not for a change at every build.
    println!("cargo::rerun-if-changed={}", folder.display());
    files.any(|file| file.is_ok_and(|file| file.path().extension().is_some_and(|extension| extension == "json")))
}

/// Whether a file is at its place from `$DOSEGRID_REFERENCE`, or from `../shared/reference`.
fn reference(name: &str) -> bool {
    println!("cargo::rerun-if-env-changed=DOSEGRID_REFERENCE");
    let beside = || Path::new(&env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../shared/reference");
    let root = env::var_os("DOSEGRID_REFERENCE").map_or_else(beside, PathBuf::from);
    let file = root.join(name);
    let is_there = file.exists();
    if is_there {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    is_there
}
