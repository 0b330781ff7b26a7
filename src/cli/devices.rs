//! `dosegrid devices`.

use super::stdout;
use crate::domain::{DeviceInfo, DeviceKind, DoseError};
use crate::engine::list_devices;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let devices = list_devices();
    if args.json {
        stdout::print_json(&serde_json::json!({ "devices": devices }))
    } else {
        stdout::print(&table(&devices))
    }
}

/// One line for each device, with aligned columns.
fn table(devices: &[DeviceInfo]) -> String {
    let kinds: Vec<_> = devices.iter().map(kind_name).collect();
    let width = |column: &dyn Fn(usize) -> usize| (0..devices.len()).map(column).max().unwrap_or(0);
    let id_width = width(&|i| devices[i].id.len());
    let kind_width = width(&|i| kinds[i].len());
    let backend_width = width(&|i| devices[i].backend.len());
    let mut lines = String::new();
    for (device, kind) in devices.iter().zip(kinds) {
        let DeviceInfo { id, name, backend, driver, .. } = device;
        lines += &format!("{id:id_width$}  {kind:kind_width$}  {backend:backend_width$}  {name}  [{driver}]\n");
    }
    lines
}

fn kind_name(device: &DeviceInfo) -> &'static str {
    match device.kind {
        DeviceKind::Cpu => "CPU",
        DeviceKind::DiscreteGpu => "discrete GPU",
        DeviceKind::IntegratedGpu => "integrated GPU",
        DeviceKind::VirtualGpu => "virtual GPU",
        DeviceKind::SoftwareGpu => "software, only if named",
        DeviceKind::OtherGpu => "GPU",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_adapters_are_marked() {
        let device = |id: &str, kind| DeviceInfo {
            id: id.into(),
            kind,
            name: "a name".into(),
            backend: "vulkan".into(),
            driver: "a driver 1.2".into(),
        };
        let table = table(&[device("cpu", DeviceKind::Cpu), device("gpu:0", DeviceKind::SoftwareGpu)]);
        let marked: Vec<_> = table.lines().map(|line| line.contains("only if named")).collect();
        assert_eq!(marked, [false, true], "{table}");
    }
}
