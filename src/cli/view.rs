//! `dosegrid view`: a finished result as a page of this machine alone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::report_again::DATA_FOLDER;
use super::report_data::ReportData;
use super::serve::{Signals, addresses};
use super::stdout;
use super::study::{ACTIVITY, SIGMA};
use crate::domain::{Checks, DoseError, Invalid, RigidTransform, Volume, VolumeHeader};
use crate::formats::volume_file::read_volume;
use crate::page::{self, Body, Reader, ShownMask, ShownResult, ShownVolume};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of the results of `study`, or that of `compute --report-data`
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Address of this machine to serve the page at; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0", allow_hyphen_values = true)]
    listen: String,
}

/// What the page asks for.
struct Shown {
    result: Bytes,
    volumes: BTreeMap<String, Bytes>,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let listen = match addresses("listen", &args.listen) {
        Ok(listen) => listen,
        Err(error) => {
            error.violations().into_iter().for_each(|fault| checks.fail(fault.field, fault.reason));
            Vec::new()
        }
    };
    if listen.iter().any(|address| !address.ip().to_canonical().is_loopback()) {
        checks.fail("listen", "is beyond this machine: nobody is asked for an identity here; `serve` has a page too");
    }
    let shown = checks.at("folder", Shown::read(&args.folder));
    checks.finish()?;
    let shown = Arc::new(shown.ok_or_else(|| DoseError::Internal("a fault was not recorded".into()))?);
    serve(&listen, shown)
}

fn serve(listen: &[SocketAddr], shown: Arc<Shown>) -> Result<(), DoseError> {
    let io = |error: std::io::Error| DoseError::Io(format!("cannot serve the page: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(io)?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(listen).await.map_err(io)?;
        let signals = Signals::new().map_err(io)?;
        stdout::print(&format!("http://{}/view\n", listener.local_addr().map_err(io)?))?;
        let answer = move |request: Request<_>, _: Arc<Reader>| {
            let answer = shown.answer(&request);
            async move { answer }
        };
        tokio::select! {
            () = signals.first(false) => Ok(()),
            never = page::serve(listener, || None, answer) => match never {},
        }
    });
    runtime.shutdown_background();
    served
}

impl Shown {
    /// Reads what a report was made from, and the maps beside it.
    fn read(folder: &Path) -> Result<Self, Invalid> {
        let of_study = folder.join(DATA_FOLDER);
        let data = ReportData::read(if of_study.is_dir() { &of_study } else { folder })?;
        let mut volumes = Volumes::default();
        // Of a study, each has the name that it gives it.
        let beside = |name: &str| -> Result<Option<Volume<f32>>, Invalid> {
            let path = folder.join(name);
            let named = |Invalid(reason)| Invalid::new(format!("{name}: {reason}"));
            path.exists().then(|| Ok(read_volume(&path).map_err(named)?.volume)).transpose()
        };
        let (organs, doses) = data.organs.unzip();
        let masks = organs.iter().flat_map(|organs| organs.organs().iter().map(|organ| (organ, organs.grid())));
        let masks = masks.map(|(organ, grid)| {
            let mut shares = vec![0.0; grid.voxels()];
            #[expect(clippy::cast_possible_truncation, reason = "maps have single precision")]
            organ.shares().for_each(|(voxel, share)| shares[voxel] = share as f32);
            let mask = Volume::from_vec(grid.clone(), shares)?;
            Ok(ShownMask { label: organ.label.into(), mask: volumes.add(&format!("organ_{}", organ.label), &mask) })
        });
        let organ_masks = masks.collect::<Result<Vec<_>, Invalid>>()?;
        let result = data.result;
        let shown = ShownResult {
            dose: volumes.add("dose", &result.dose),
            sigma: beside(SIGMA)?.map(|map| volumes.add("sigma", &map)),
            weighted: None,
            // With a motion between the scans, it lies elsewhere than a dose on another grid.
            activity: beside(ACTIVITY)?
                .filter(|map| map.grid().check_same(result.dose.grid()).is_ok())
                .map(|map| volumes.add("activity", &map)),
            density: data.density.as_ref().map(|map| volumes.add("density", map)),
            ct: None,
            labels: None,
            organ_masks,
            activity_unit: "Bq/mL",
            minimum_density_g_cm3: result.provenance.minimum_density_g_cm3,
            minimum_hu: None,
            organs: doses.unwrap_or_default(),
            histograms: data.histograms,
            warnings: result.warnings,
            account: result.activity,
            provenance: result.provenance,
        };
        let nuclide = &shown.provenance.nuclide;
        let all = serde_json::json!({ "id": "folder", "state": "succeeded", "nuclide": nuclide, "result": shown });
        Ok(Self { result: all.to_string().into(), volumes: volumes.0 })
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        if !page::names_this_machine(request.headers()) {
            return page::wrong_host();
        }
        if request.method() != Method::GET {
            return page::wrong_method();
        }
        let path = match request.uri().path() {
            "/" => "/view",
            other => other,
        };
        let Some(place) = path.strip_prefix("/api/") else {
            return page::file(path).unwrap_or_else(page::not_found);
        };
        if !page::is_own(request.headers()) {
            return page::not_this_page();
        }
        match (place, place.strip_prefix("volumes/").and_then(|name| self.volumes.get(name))) {
            ("results/folder", _) => page::whole("application/json", self.result.clone()),
            (_, Some(bytes)) => part(request, bytes),
            (_, None) => page::not_found(),
        }
    }
}

/// The bytes of a volume, or of the part that is asked for.
fn part<B>(request: &Request<B>, bytes: &Bytes) -> Response<Body> {
    let size = bytes.len() as u64;
    match page::range(request.headers(), size) {
        Err(code) => page::fault(code, "WRONG_RANGE", &format!("the volume has {size} bytes")),
        Ok(part) => {
            let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
            let wanted = part.map_or_else(|| bytes.clone(), |(from, to)| bytes.slice(at(from)..at(to)));
            let (sender, receiver) = mpsc::channel(1);
            // There is room for the one piece.
            let _ = sender.try_send(Ok(wanted));
            page::pieces(receiver, part, size)
        }
    }
}

/// Volumes by what they are asked for by: single precision, little-endian, x fastest.
#[derive(Default)]
struct Volumes(BTreeMap<String, Bytes>);

impl Volumes {
    fn add(&mut self, name: &str, volume: &Volume<f32>) -> ShownVolume {
        let bytes: Vec<u8> = volume.as_slice().iter().flat_map(|value| value.to_le_bytes()).collect();
        self.0.insert(name.to_owned(), bytes.into());
        ShownVolume::new(&VolumeHeader::float32(volume.grid()), &RigidTransform::IDENTITY, name.to_owned())
    }
}
