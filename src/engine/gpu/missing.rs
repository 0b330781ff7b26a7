//! Why a GPU that is in the machine may be offered by no driver: most often it is used in a container that lacks a part
//! of the driver.

use std::env;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;

/// Where NVIDIA's driver says that it is there.
const NVIDIA_NODES: [&str; 3] = ["/dev/nvidiactl", "/dev/nvidia0", "/proc/driver/nvidia/version"];
/// Where drivers of other makers do.
const RENDER_NODE: &str = "/dev/dri/renderD128";
/// What the container toolkit is told to bring in.
const CAPABILITIES: &str = "NVIDIA_DRIVER_CAPABILITIES";
/// The file that names NVIDIA's driver for Vulkan.
const ICD_FILES: [&str; 3] = [
    "/etc/vulkan/icd.d/nvidia_icd.json",
    "/usr/share/vulkan/icd.d/nvidia_icd.json",
    "/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json",
];
/// What names it instead.
const ICD_VARIABLES: [&str; 2] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];
/// Where libraries are.
const LIBRARY_FOLDERS: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib",
    "/usr/local/nvidia/lib64",
];

/// What of a driver is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Traces {
    /// An NVIDIA GPU, whose driver runs in the kernel.
    has_nvidia: bool,
    /// A GPU of another maker, likewise.
    has_render_node: bool,
    /// This user may not open that one.
    is_refused: bool,
    /// What the container toolkit was told to bring in; none outside of its containers.
    capabilities: Option<String>,
    has_icd_file: bool,
    has_loader: bool,
    has_glx: bool,
    has_xext: bool,
}

/// What to do where no driver offers a GPU; none if there is no trace of one.
pub(super) fn advice() -> Option<String> {
    Traces::of_this_machine().advice()
}

impl Traces {
    fn of_this_machine() -> Self {
        let exists = |path: &&str| Path::new(path).exists();
        let library = |name: &str| LIBRARY_FOLDERS.iter().any(|folder| Path::new(folder).join(name).exists());
        Self {
            has_nvidia: NVIDIA_NODES.iter().any(exists),
            has_render_node: exists(&RENDER_NODE),
            is_refused: OpenOptions::new()
                .read(true)
                .write(true)
                .open(RENDER_NODE)
                .is_err_and(|error| error.kind() == ErrorKind::PermissionDenied),
            capabilities: env::var(CAPABILITIES).ok(),
            has_icd_file: ICD_FILES.iter().any(exists) || ICD_VARIABLES.iter().any(|name| env::var_os(name).is_some()),
            has_loader: library("libvulkan.so.1"),
            has_glx: library("libGLX_nvidia.so.0"),
            has_xext: library("libXext.so.6"),
        }
    }

    fn advice(&self) -> Option<String> {
        let missing = if self.has_nvidia {
            self.missing_of_nvidia()
        } else if self.is_refused {
            vec![format!("this user may not open {RENDER_NODE}: add the user to the group `render` and log in anew")]
        } else if self.has_render_node {
            vec!["install the package `mesa-vulkan-drivers`".to_owned()]
        } else {
            return None;
        };
        let what = if self.has_nvidia { "an NVIDIA GPU" } else { "a GPU (/dev/dri)" };
        let to_do = if missing.is_empty() { "`vulkaninfo --summary` says why".to_owned() } else { missing.join("; ") };
        Some(format!("{what} is there, but no driver offers it through Vulkan: {to_do}"))
    }

    fn missing_of_nvidia(&self) -> Vec<String> {
        let brings_graphics = |set: &String| set.split(',').any(|part| matches!(part.trim(), "graphics" | "all"));
        let lacks_graphics = self.capabilities.as_ref().is_some_and(|set| !brings_graphics(set));
        let parts = [
            (
                lacks_graphics || !self.has_glx,
                "start the container with NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility, or outside of one \
                 install the driver's Vulkan parts (libGLX_nvidia.so.0)",
            ),
            (!self.has_loader, "install the loader, the package `libvulkan1`"),
            (!self.has_xext, "install the package `libxext6`, which the driver loads"),
            (!self.has_icd_file, "add the file /etc/vulkan/icd.d/nvidia_icd.json (docs/gpu.md has its text)"),
        ];
        parts.into_iter().filter(|(is_missing, _)| *is_missing).map(|(_, to_do)| to_do.to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Traces {
        let capabilities = Some("compute, graphics".to_owned());
        let has = true;
        Traces {
            has_nvidia: has,
            has_render_node: has,
            is_refused: false,
            capabilities,
            has_icd_file: has,
            has_loader: has,
            has_glx: has,
            has_xext: has,
        }
    }

    #[test]
    fn a_container_is_told_what_it_lacks_and_nothing_else() {
        let said = |traces: Traces| traces.advice().expect("a GPU is there");
        for (traces, word) in [
            (Traces { capabilities: Some("compute,utility".into()), ..whole() }, "NVIDIA_DRIVER_CAPABILITIES"),
            (Traces { has_glx: false, capabilities: None, ..whole() }, "libGLX_nvidia"),
            (Traces { has_loader: false, ..whole() }, "libvulkan1"),
            (Traces { has_xext: false, ..whole() }, "libxext6"),
            (Traces { has_icd_file: false, ..whole() }, "nvidia_icd.json"),
        ] {
            let said = said(traces);
            let words = ["NVIDIA_DRIVER_CAPABILITIES", "libvulkan1", "libxext6", "nvidia_icd.json"];
            assert!(said.contains(word) && words.iter().filter(|word| said.contains(**word)).count() == 1, "{said}");
        }
        assert!(said(whole()).contains("vulkaninfo"));
        assert!(said(Traces { has_nvidia: false, ..whole() }).contains("mesa-vulkan-drivers"));
        let said = said(Traces { has_nvidia: false, is_refused: true, ..whole() });
        assert!(said.contains("the group `render`") && !said.contains("mesa-vulkan-drivers"), "{said}");
    }

    #[test]
    fn where_no_gpu_is_nothing_is_said() {
        assert_eq!(Traces::default().advice(), None);
    }
}
