//! Files of TLS.

use std::path::Path;

use super::places::bytes;
use super::section::{Faults, Section};
use crate::domain::Invalid;
use crate::pacs::{ServeTls, StoreTls};

/// Certificate and key.
const IDENTITY: [&str; 2] = ["certificate", "key"];
/// What they hold, as PEM.
type Identity = (Vec<u8>, Vec<u8>);

/// What a file holds that a key names; none where the key is not there. What cannot be read is a fault.
fn file(
    section: &mut Section<'_, '_>,
    key: &'static str,
    base: &Path,
    faults: &mut Faults<'_>,
) -> Result<Option<Vec<u8>>, ()> {
    let Some(path) = section.text(key, faults) else { return Ok(None) };
    let read = bytes(&base.join(path)).map_err(|Invalid(reason)| section.fault(key, &reason, faults));
    read.map(Some)
}

/// Certificate and key, which go together.
fn identity(section: &mut Section<'_, '_>, base: &Path, faults: &mut Faults<'_>) -> Result<Option<Identity>, ()> {
    match IDENTITY.map(|key| file(section, key, base, faults)) {
        [Ok(None), Ok(None)] => Ok(None),
        [Ok(Some(certificate)), Ok(Some(key))] => Ok(Some((certificate, key))),
        [Ok(_), Ok(_)] => {
            section.fault("certificate", "and key go together", faults);
            Err(())
        }
        _ => Err(()),
    }
}

/// How a source has to be called; none: in the clear.
pub(super) fn serving(section: &mut Section<'_, '_>, base: &Path, faults: &mut Faults<'_>) -> Option<ServeTls> {
    let identity = identity(section, base, faults);
    let clients = file(section, "client_ca", base, faults);
    match (identity.ok()?, clients.ok()?) {
        (None, None) => None,
        (None, Some(_)) => {
            section.fault("client_ca", "needs certificate and key", faults);
            None
        }
        (Some((certificate, key)), clients) => {
            let tls = ServeTls::new((&certificate, &key), clients.as_deref());
            tls.map_err(|Invalid(reason)| section.fault("certificate", &reason, faults)).ok()
        }
    }
}

/// How a destination is called; none: in the clear.
pub(super) fn calling(section: &mut Section<'_, '_>, base: &Path, faults: &mut Faults<'_>) -> Option<StoreTls> {
    let identity = identity(section, base, faults);
    let name = section.text("tls_name", faults);
    let authorities = file(section, "tls_ca", base, faults);
    let (identity, Some(authorities)) = (identity.ok()?, authorities.ok()?) else {
        for key in [IDENTITY[0], "tls_name"].into_iter().filter(|key| section.has(key)) {
            section.fault(key, "needs tls_ca: who signs certificates of the other side", faults);
        }
        return None;
    };
    let identity = identity.as_ref().map(|(certificate, key)| (certificate.as_slice(), key.as_slice()));
    let tls = StoreTls::new(&authorities, identity);
    let tls = tls.map_err(|Invalid(reason)| section.fault("tls_ca", &reason, faults)).ok()?;
    match name {
        None => Some(tls),
        Some(name) => tls.for_name(&name).map_err(|Invalid(reason)| section.fault("tls_name", &reason, faults)).ok(),
    }
}
