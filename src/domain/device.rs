//! Devices: how a caller names one, and how a result names the one that ran.

use std::{fmt, str::FromStr};

use super::Invalid;

/// Which device a caller wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceSelector {
    /// The best hardware GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// The native CPU engine.
    Cpu,
    /// The best hardware GPU: discrete before integrated, never a software adapter.
    Gpu,
    /// The GPU with this number in the list of devices. A software adapter can only be selected this way.
    GpuNumber(usize),
}

impl FromStr for DeviceSelector {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu),
            _ => text
                .strip_prefix("gpu:")
                .and_then(|n| n.parse().ok())
                .map(Self::GpuNumber)
                .ok_or_else(|| Invalid::new(format!("a device is auto, cpu, gpu or gpu:N, got `{text}`"))),
        }
    }
}

impl fmt::Display for DeviceSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu => f.write_str("gpu"),
            Self::GpuNumber(n) => write!(f, "gpu:{n}"),
        }
    }
}

/// The kind of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// The native CPU engine.
    Cpu,
    /// A GPU with memory of its own.
    DiscreteGpu,
    /// A GPU that shares the host's memory.
    IntegratedGpu,
    /// A GPU seen through a hypervisor.
    VirtualGpu,
    /// A GPU emulated on the CPU, such as lavapipe.
    SoftwareGpu,
    /// A GPU of unknown kind.
    OtherGpu,
}

/// A device of this machine.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeviceInfo {
    /// The name that selects it: `cpu` or `gpu:N`.
    pub id: String,
    /// Its kind.
    pub kind: DeviceKind,
    /// The maker's name for it.
    pub name: String,
    /// The programming interface it is used through: `native`, `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: String,
    /// Driver and its version; the number of threads for the CPU.
    pub driver: String,
}

impl DeviceInfo {
    /// The same device without what no result depends on, the number of threads of the CPU: the same request then gives
    /// the same file wherever it runs.
    #[must_use]
    pub fn without_threads(mut self) -> Self {
        if self.kind == DeviceKind::Cpu {
            let library = self.driver.split(", ").next().unwrap_or_default();
            self.driver = library.to_owned();
        }
        self
    }

    /// Tells apart what may give other bytes: kinds of devices, and builds of this program.
    pub fn key(&self) -> String {
        let Self { kind, name, backend, driver, .. } = self.clone().without_threads();
        let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("DOSEGRID_COMMIT"));
        format!("{kind:?}/{name}/{backend}/{driver}/{version}/{commit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_parse_and_print_alike() {
        for text in ["auto", "cpu", "gpu", "gpu:3"] {
            assert_eq!(text.parse::<DeviceSelector>().expect("a good name").to_string(), text);
        }
        for text in ["", "GPU", "gpu:", "gpu:-1", "cuda"] {
            assert!(text.parse::<DeviceSelector>().is_err(), "{text}");
        }
    }
}
