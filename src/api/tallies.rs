//! The tallies of one call while they arrive: one after another, each added to the sum when it is complete.

use std::io::Cursor;
use std::sync::Arc;

use super::pb;
use super::turns::Place;
use crate::domain::{Checks, DoseError, Invalid, TallyRecord, VoxelGrid};
use crate::formats::tally;
use crate::intake::Merging;
use crate::jobs::Reservation;
use crate::method::add_checked;

/// Tallies while they arrive.
pub(super) struct Tallies {
    grid: Arc<VoxelGrid>,
    sizes_bytes: Vec<u64>,
    /// How many are complete.
    complete: usize,
    /// Bytes of the one that arrives.
    bytes: Vec<u8>,
    /// Whether its header was found to be of the grid.
    has_begun: bool,
    sum: Option<TallyRecord>,
    checks: Checks,
    /// All that the call may use, for as long as a tally is worked on.
    _memory: Arc<Reservation>,
}

impl Tallies {
    /// Makes room for the largest tally.
    ///
    /// # Errors
    /// [`DoseError::Internal`] if the system does not give the memory.
    pub(super) fn new(merging: &Merging, memory: Arc<Reservation>) -> Result<Self, DoseError> {
        let sizes_bytes = merging.tallies_bytes().to_vec();
        Ok(Self {
            grid: merging.grid().clone(),
            sizes_bytes,
            complete: 0,
            bytes: Vec::new(),
            has_begun: false,
            sum: None,
            checks: Checks::new(),
            _memory: memory,
        })
    }

    /// Takes a piece of the tally that arrives.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every fault of the piece; or at once, by its header, if the tally is none or of
    /// another grid.
    pub(super) fn accept(&mut self, chunk: &pb::TallyChunk) -> Result<(), DoseError> {
        let mut checks = Checks::new();
        let (received, more) = (self.bytes.len() as u64, chunk.data.len() as u64);
        let size = self.sizes_bytes.get(self.complete).copied();
        let fail =
            |checks: &mut Checks, field: &str, reason: String| checks.fail(format!("tally_chunk.{field}"), reason);
        match size {
            None => fail(&mut checks, "index", "is of a tally that the header does not announce".into()),
            Some(_) if u64::from(chunk.index) != self.complete as u64 => {
                let reason = format!("is {}, the tally that comes now is {}", chunk.index, self.complete);
                fail(&mut checks, "index", reason);
            }
            Some(_) if chunk.offset_bytes != received => {
                let reason = format!("is {}, the next byte of this tally is {received}", chunk.offset_bytes);
                fail(&mut checks, "offset_bytes", reason);
            }
            Some(size) if received.saturating_add(more) > size => {
                let reason = format!("has {more} bytes from {received} on, past the end of a tally of {size}");
                fail(&mut checks, "data", reason);
            }
            Some(_) if more == 0 => fail(&mut checks, "data", "is empty".into()),
            Some(_) => {}
        }
        checks.finish()?;
        let full = || DoseError::Internal("the system does not give the memory that the limit promises".into());
        self.bytes.try_reserve(chunk.data.len()).map_err(|_| full())?;
        self.bytes.extend_from_slice(&chunk.data);
        if !self.has_begun
            && let Some(start) = tally::check_start(&self.bytes, &self.grid)
        {
            start.map_err(|Invalid(reason)| DoseError::invalid(self.field(), reason))?;
            self.has_begun = true;
        }
        Ok(())
    }

    fn field(&self) -> String {
        format!("tallies[{}]", self.complete)
    }

    /// The same with the tally added, if it is complete. What is wrong with it is told with the faults of the others.
    pub(super) async fn added(mut self, place: &Place) -> Result<Self, DoseError> {
        if self.sizes_bytes.get(self.complete) != Some(&(self.bytes.len() as u64)) {
            return Ok(self);
        }
        let work = move || {
            let bytes = std::mem::take(&mut self.bytes);
            let added = tally::decode(Cursor::new(bytes)).and_then(|record| add_checked(&mut self.sum, record));
            let field = self.field();
            self.checks.at(field, added);
            (self.complete, self.has_begun) = (self.complete + 1, false);
            Ok(self)
        };
        place.run(work).await
    }

    /// The sum of all.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every tally that is not complete, or was at fault.
    pub(super) fn finish(self) -> Result<TallyRecord, DoseError> {
        let Self { sizes_bytes, complete, bytes, sum, mut checks, .. } = self;
        for (number, size) in sizes_bytes.iter().enumerate().skip(complete) {
            let arrived = if number == complete { bytes.len() } else { 0 };
            checks.fail(format!("tallies[{number}]"), format!("is incomplete: {arrived} of {size} bytes arrived"));
        }
        checks.finish()?;
        sum.ok_or_else(|| DoseError::invalid("tallies", "are none"))
    }
}
