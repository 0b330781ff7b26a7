//! Attributes of a data set, as the values that are asked for. What is absent, empty or of no such form is none.

use dicom_core::{Tag, value::PrimitiveValue, value::Value};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::escapes;

/// A data set.
pub(super) type Object = InMemDicomObject;

/// Access to the attributes of a data set.
pub(super) trait Attributes {
    /// The whole text of an attribute, without the spaces around it and control characters.
    fn text(&self, tag: Tag) -> Option<String>;
    /// The values of a text attribute.
    fn words(&self, tag: Tag) -> Vec<String>;
    /// The numbers of an attribute, all finite.
    fn numbers(&self, tag: Tag) -> Option<Vec<f64>>;
    /// The items of a sequence; none where there is no sequence.
    fn items(&self, tag: Tag) -> &[Object];

    /// The first number of an attribute.
    fn number(&self, tag: Tag) -> Option<f64> {
        self.numbers(tag)?.first().copied()
    }

    /// A whole number from 0 on.
    fn count(&self, tag: Tag) -> Option<usize> {
        let value = self.number(tag)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
        (value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value)).then_some(value as usize)
    }

    /// As many numbers as are asked for.
    fn vector<const N: usize>(&self, tag: Tag) -> Option<[f64; N]> {
        self.numbers(tag)?.try_into().ok()
    }

    /// The first item of a sequence.
    fn item(&self, tag: Tag) -> Option<&Object> {
        self.items(tag).first()
    }
}

impl Attributes for Object {
    fn text(&self, tag: Tag) -> Option<String> {
        let primitive = self.get(tag)?.value().primitive()?;
        let text = if let PrimitiveValue::U8(bytes) = primitive {
            // Private attributes of a file without value representations.
            String::from_utf8_lossy(bytes).into_owned()
        } else {
            primitive.to_str().into_owned()
        };
        // What is left of control characters would go to terminals and names of files.
        let text: String = escapes::decoded(&text).chars().filter(|c| !c.is_control()).collect();
        let text = text.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    fn words(&self, tag: Tag) -> Vec<String> {
        let text = self.text(tag).unwrap_or_default();
        let words = text.split('\\').map(|word| word.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned());
        words.filter(|word| !word.is_empty()).collect()
    }

    fn numbers(&self, tag: Tag) -> Option<Vec<f64>> {
        let primitive = self.get(tag)?.value().primitive()?;
        let is_bytes = matches!(primitive, PrimitiveValue::U8(bytes) if !bytes.is_empty()) && !self.is_binary(tag);
        let is_text = is_bytes || matches!(primitive, PrimitiveValue::Str(_) | PrimitiveValue::Strs(_));
        let numbers: Option<Vec<f64>> = if is_text {
            self.words(tag).iter().map(|word| word.parse().ok()).collect()
        } else {
            primitive.to_multi_float64().ok()
        };
        numbers.filter(|numbers| !numbers.is_empty() && numbers.iter().all(|number| number.is_finite()))
    }

    fn items(&self, tag: Tag) -> &[Object] {
        match self.get(tag).map(|element| element.value()) {
            Some(Value::Sequence(sequence)) => sequence.items(),
            Some(Value::Primitive(_) | Value::PixelSequence(_)) | None => &[],
        }
    }
}

/// Whether bytes are numbers and not text.
trait Binary {
    fn is_binary(&self, tag: Tag) -> bool;
}

impl Binary for Object {
    fn is_binary(&self, tag: Tag) -> bool {
        use dicom_core::VR;
        self.get(tag).is_some_and(|element| matches!(element.vr(), VR::OB | VR::OW))
    }
}

/// The unit of a measurement, as its code says.
pub(super) fn unit_code(item: &Object) -> Option<String> {
    item.item(tags::MEASUREMENT_UNITS_CODE_SEQUENCE)?.text(tags::CODE_VALUE)
}

/// A frame's own attributes: those of its functional groups, else those that all frames share, else those of the whole.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    object: &'a Object,
    number: usize,
}

impl<'a> Frame<'a> {
    /// * `number` – from 0
    pub(super) fn new(object: &'a Object, number: usize) -> Self {
        Self { object, number }
    }

    /// Text of an attribute of the whole.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        self.object.text(tag)
    }

    /// The item of a functional group, of this frame or of all.
    pub(super) fn group(&self, group: Tag) -> Option<&'a Object> {
        let own = self.object.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).get(self.number);
        let shared = self.object.item(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
        own.and_then(|item| item.item(group)).or_else(|| shared.and_then(|item| item.item(group)))
    }

    /// The items of a functional group, of this frame or of all; of the whole where there are none.
    pub(super) fn group_items(&self, group: Tag) -> &'a [Object] {
        let own = self.object.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).get(self.number);
        let shared = self.object.item(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
        let lists = [own, shared].into_iter().flatten().map(|item| item.items(group));
        lists.into_iter().find(|items| !items.is_empty()).unwrap_or_else(|| self.object.items(group))
    }

    /// Numbers of an attribute in a functional group, else of the whole.
    pub(super) fn numbers(&self, group: Tag, tag: Tag) -> Option<Vec<f64>> {
        self.group(group).and_then(|item| item.numbers(tag)).or_else(|| self.object.numbers(tag))
    }

    /// The first of [`Frame::numbers`].
    pub(super) fn number(&self, group: Tag, tag: Tag) -> Option<f64> {
        self.numbers(group, tag)?.first().copied()
    }

    /// Whether an attribute in a functional group, or of the whole, holds anything.
    pub(super) fn is_there(&self, group: Tag, tag: Tag) -> bool {
        self.group(group).is_some_and(|item| item.text(tag).is_some()) || self.object.text(tag).is_some()
    }

    /// As many of [`Frame::numbers`] as are asked for.
    pub(super) fn vector<const N: usize>(&self, group: Tag, tag: Tag) -> Option<[f64; N]> {
        self.numbers(group, tag)?.try_into().ok()
    }
}
