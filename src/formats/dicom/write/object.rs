//! A data set, and the file it is written to.

use std::io::{self, Write};
use std::path::Path;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::value::{DataSetSequence, Value};
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags, uids};
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_object::{FileDicomObject, FileMetaTableBuilder, InMemDicomObject};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::uid::derived;
use crate::digest::Digest;
use crate::domain::Invalid;
use crate::formats::atomic;

/// Who writes, for General Equipment.
const PRODUCT: &str = "dosegrid";
/// Most bytes of pixels: a length has 32 bits, and is even.
const MAX_PIXEL_BYTES: usize = 0xffff_fffe;

/// A data set being filled. Value representations are those of the dictionary.
#[derive(Clone, Debug)]
pub(super) struct DataSet(pub(super) InMemDicomObject);

impl DataSet {
    pub(super) fn new() -> Self {
        Self(InMemDicomObject::new_empty())
    }

    /// Text or a number as text; several with the values apart.
    pub(super) fn text(&mut self, tag: Tag, text: impl Into<String>) -> &mut Self {
        self.put(tag, PrimitiveValue::from(text.into()))
    }

    /// Several texts, or numbers as texts.
    pub(super) fn texts(&mut self, tag: Tag, texts: Vec<String>) -> &mut Self {
        self.put(tag, PrimitiveValue::Strs(texts.into()))
    }

    /// Attributes without a value, which the standard wants there all the same.
    pub(super) fn empty(&mut self, tags: &[Tag]) -> &mut Self {
        for &tag in tags {
            if vr(tag) == VR::SQ {
                self.items(tag, Vec::new());
            } else {
                self.put(tag, PrimitiveValue::Empty);
            }
        }
        self
    }

    pub(super) fn number(&mut self, tag: Tag, number: u16) -> &mut Self {
        self.put(tag, PrimitiveValue::from(number))
    }

    /// The items of a sequence.
    pub(super) fn items(&mut self, tag: Tag, items: Vec<Self>) -> &mut Self {
        let items: Vec<InMemDicomObject> = items.into_iter().map(|item| item.0).collect();
        self.0.put(DataElement::new(tag, VR::SQ, Value::from(DataSetSequence::from(items))));
        self
    }

    pub(super) fn put(&mut self, tag: Tag, value: PrimitiveValue) -> &mut Self {
        self.0.put(DataElement::new(tag, vr(tag), value));
        self
    }

    /// Pixels.
    ///
    /// * `representation` – `OW` or `OB`
    ///
    /// # Errors
    /// If they are more than a file can hold.
    pub(super) fn pixels(&mut self, representation: VR, bytes: Vec<u8>) -> Result<&mut Self, Invalid> {
        if bytes.len() > MAX_PIXEL_BYTES {
            return Err(Invalid::new(format!(
                "has {} bytes of pixels, more than the 4 GiB that a DICOM file can hold; take a coarser grid",
                bytes.len()
            )));
        }
        self.0.put(DataElement::new(tags::PIXEL_DATA, representation, PrimitiveValue::from(bytes)));
        Ok(self)
    }

    /// A series and an instance that this program made: General Equipment, SOP Common and the UIDs, which follow from
    /// all that the data set holds.
    pub(super) fn finish(self, sop_class: &'static str) -> Result<DicomObject, Invalid> {
        self.finish_in(sop_class, None)
    }

    /// As [`DataSet::finish`], as one of several instances of a series.
    ///
    /// * `series` – its UID; none: the object has a series of its own
    pub(super) fn finish_in(mut self, sop_class: &'static str, series: Option<&str>) -> Result<DicomObject, Invalid> {
        self.text(tags::SOP_CLASS_UID, sop_class)
            .text(tags::MANUFACTURER, PRODUCT)
            .text(tags::MANUFACTURER_MODEL_NAME, PRODUCT)
            .text(tags::SOFTWARE_VERSIONS, env!("CARGO_PKG_VERSION"));
        let mut digest = Digest::new();
        let syntax = TransferSyntaxRegistry.get(uids::EXPLICIT_VR_LITTLE_ENDIAN).expect("every reader has it");
        self.0.write_dataset_with_ts(Hashed(&mut digest), syntax).map_err(cannot_encode)?;
        let content = digest.bytes();
        let instance = derived("instance", &content);
        self.text(tags::SOP_INSTANCE_UID, instance.as_str())
            .text(tags::SERIES_INSTANCE_UID, series.map_or_else(|| derived("series", &content), str::to_owned));
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
            .media_storage_sop_class_uid(sop_class)
            .media_storage_sop_instance_uid(instance.as_str())
            .implementation_class_uid(derived("implementation", PRODUCT.as_bytes()))
            .implementation_version_name("DOSEGRID")
            .build()
            .map_err(cannot_encode)?;
        Ok(DicomObject { file: self.0.with_exact_meta(meta), instance })
    }
}

/// The value representation of an attribute.
fn vr(tag: Tag) -> VR {
    StandardDataDictionary.by_tag(tag).expect("an attribute of the standard").vr().relaxed()
}

/// Text that the character set of the reference cannot hold, or a failure of the library.
pub(super) fn cannot_encode(error: impl std::error::Error) -> Invalid {
    // The source of an error may hold the text itself.
    drop(error);
    Invalid::new("cannot be written as DICOM: a text does not fit the character set of the reference")
}

struct Hashed<'a>(&'a mut Digest);

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The failure of a disk behind one of the library, which does not say it; what else is behind it may hold texts of the
/// object.
fn of_disk(error: &(dyn std::error::Error + 'static)) -> io::Error {
    let mut chain = std::iter::successors(Some(error), |error| error.source());
    match chain.find_map(|error| error.downcast_ref::<io::Error>()) {
        Some(own) => io::Error::new(own.kind(), own.to_string()),
        None => io::Error::other(error.to_string()),
    }
}

/// A complete object, ready to be written.
#[derive(Clone, Debug)]
pub struct DicomObject {
    file: FileDicomObject<InMemDicomObject>,
    instance: String,
}

impl DicomObject {
    /// SOP Instance UID.
    pub fn instance_uid(&self) -> &str {
        &self.instance
    }

    /// Writes it as a file of DICOM part 10, explicit little endian. The same object gives the same bytes.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        atomic::write_file(path, |file| self.encode(file))
    }

    fn encode(&self, output: impl Write) -> io::Result<()> {
        self.file.write_all(output).map_err(|error| of_disk(&error))
    }

    /// Another object's reference to this one.
    pub(super) fn referenced(sop_class: &str, instance: &str) -> DataSet {
        let mut item = DataSet::new();
        item.text(tags::REFERENCED_SOP_CLASS_UID, sop_class).text(tags::REFERENCED_SOP_INSTANCE_UID, instance);
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let mut set = DataSet::new();
        set.text(tags::MODALITY, "OT");
        let object = set.finish(uids::SECONDARY_CAPTURE_IMAGE_STORAGE).expect("an object");
        assert_eq!(object.encode(Full).expect_err("full").kind(), io::ErrorKind::StorageFull);
    }
}
