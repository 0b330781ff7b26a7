//! A page that checks and measures the GPU of whoever opens it: one file that needs nothing else.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::capture::{CONVOLUTION, CaptureCase, UNLIKE_AXES, capture};
use super::convolution::ConvolutionDescription;
use super::{BenchSource, SCHEMA, SCHEMA_VERSION};
use crate::domain::{Control, DoseError};
use crate::engine::Device;
use crate::engine::gpu::{PortableStage, probe_stages};
use crate::physics::nuclide;

/// What each capture computes.
const NUCLIDES: [&str; 2] = ["Lu-177", "Y-90"];
const LAYERS_MM: f64 = 3.0;
const HISTORIES: u64 = 50_000;

/// The page, with places for its contents and its script.
const TEMPLATE: &str = include_str!("../../clients/browser/page.html");
const CONTENTS: &str = "/*CONTENTS*/";
const SCRIPT: &str = "/*SCRIPT*/";
/// The modules of its script, each after those that it imports.
const MODULES: [&str; 8] = [
    include_str!("../../clients/browser/capture.mjs"),
    include_str!("../../clients/browser/pace.mjs"),
    include_str!("../../clients/browser/device.mjs"),
    include_str!("../../clients/browser/compare.mjs"),
    include_str!("../../clients/browser/replay.mjs"),
    include_str!("../../clients/browser/measure.mjs"),
    include_str!("../../clients/browser/show.mjs"),
    include_str!("../../clients/browser/page.mjs"),
];

/// What the page holds.
#[derive(Serialize)]
struct Contents {
    version: &'static str,
    commit: &'static str,
    schema: &'static str,
    schema_version: u32,
    /// The limits that decide how work is divided.
    limits: [&'static str; 9],
    probes: BTreeMap<&'static str, PortableStage>,
    captures: Vec<Item>,
}

/// A capture, and what it is a measure of.
#[derive(Serialize)]
struct Item {
    base64: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    convolution: Option<ConvolutionDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<TransportDescription>,
}

#[derive(Serialize)]
struct TransportDescription {
    nuclide: &'static str,
    source: BenchSource,
    spacing_mm: f64,
}

/// Makes the page: computes each case on a GPU, whose results are those that others are held against.
///
/// * `device` – a GPU, opened by [`Device::open_portable`]
/// * `told` – gets the title of each case before it is computed; its failure ends all
///
/// # Errors
/// A failure of the device, [`DoseError::Cancelled`].
pub fn page(
    device: &mut Device,
    control: &Control,
    mut told: impl FnMut(&str) -> Result<(), DoseError>,
) -> Result<String, DoseError> {
    let mut item = |case: CaptureCase, convolution, transport| {
        told(&case.title())?;
        let recording = capture(device, &case, control)?;
        let file = recording.to_file(&case.title(), &device.info());
        let file = file.map_err(|error| DoseError::Io(format!("a capture cannot be made: {error}")))?;
        Ok::<_, DoseError>(Item { base64: STANDARD.encode(file), convolution, transport })
    };
    let mut captures = vec![item(CaptureCase::Convolution, Some(ConvolutionDescription::new(CONVOLUTION)?), None)?];
    for axes in UNLIKE_AXES {
        captures.push(item(CaptureCase::UnlikeAxes(axes), None, None)?);
    }
    captures.push(item(CaptureCase::Twins, None, None)?);
    for name in NUCLIDES {
        let (source, spacing_mm) = (BenchSource::Layers, LAYERS_MM);
        let nuclide = nuclide::find(name).expect("a nuclide that a bench chose");
        let case = CaptureCase::Transport { nuclide, source, spacing_mm, histories: HISTORIES };
        captures.push(item(case, None, Some(TransportDescription { nuclide: name, source, spacing_mm }))?);
    }
    let contents = Contents {
        version: env!("CARGO_PKG_VERSION"),
        commit: env!("DOSEGRID_COMMIT"),
        schema: SCHEMA,
        schema_version: SCHEMA_VERSION,
        limits: [
            "maxBufferSize",
            "maxStorageBufferBindingSize",
            "maxComputeWorkgroupStorageSize",
            "maxComputeInvocationsPerWorkgroup",
            "maxComputeWorkgroupSizeX",
            "maxComputeWorkgroupsPerDimension",
            "maxStorageBuffersPerShaderStage",
            "minUniformBufferOffsetAlignment",
            "minStorageBufferOffsetAlignment",
        ],
        probes: probe_stages().into_iter().map(|stage| (stage.name(), stage)).collect(),
        captures,
    };
    let json = serde_json::to_string(&contents).expect("a page's contents are plain data");
    // No end of an element may stand in it.
    let json = json.replace('<', "\\u003c");
    let [before, between, after] = template();
    Ok([before, &json, between, &script(), after].concat())
}

/// The template around its two places.
fn template() -> [&'static str; 3] {
    let (before, rest) = TEMPLATE.split_once(CONTENTS).expect("the template has a place for the contents");
    let (between, after) = rest.split_once(SCRIPT).expect("the template has a place for the script");
    [before, between, after]
}

/// All modules as one.
fn script() -> String {
    let line =
        |line: &'static str| (!line.starts_with("import ")).then(|| line.strip_prefix("export ").unwrap_or(line));
    let lines: Vec<&str> = MODULES.iter().flat_map(|module| module.lines().filter_map(line)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that a script declares outside all functions.
    fn declared(script: &str) -> Vec<&str> {
        let words = ["const ", "let ", "class ", "function ", "async function "];
        let name = |line: &'_ str| {
            let rest = words.iter().find_map(|word| line.strip_prefix(word))?;
            Some(rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or(rest).len())
                .map(|length| (line.len() - rest.len(), length))
        };
        script.lines().filter_map(|line| name(line).map(|(start, length)| &line[start..start + length])).collect()
    }

    #[test]
    fn the_modules_are_one_script_without_a_name_twice() {
        let script = script();
        assert!(!script.contains("\nimport ") && !script.contains("\nexport ") && !script.contains("</"));
        let names = declared(&script);
        assert!(names.len() > 50, "{names:?}");
        for (number, name) in names.iter().enumerate() {
            assert!(!names[..number].contains(name), "{name} is declared twice");
        }
    }

    #[test]
    fn the_page_may_fetch_nothing() {
        let [before, between, after] = template();
        assert!(before.contains("default-src 'none'"));
        for part in [before, between, after, &script()] {
            for word in ["http://", "https://", "fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon"] {
                assert!(!part.contains(word), "{word}");
            }
        }
    }
}
