//! Looks at a message before it is decoded: some bytes on the wire would take hundreds times as many in memory.
//!
//! An empty message among repeated ones takes two bytes on the wire, and some hundred once it is decoded. What a
//! message will take is counted by its schema while its bytes are walked over, and refused by the field that has most.

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::sync::LazyLock;

use bytes::Buf;
use prost::{Message, Name};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FileDescriptorSet};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

use super::pb;
use crate::domain::DoseError;

/// Memory of one message among repeated ones, or of one text [bytes]: more than most of this protocol take.
const ELEMENT_BYTES: u64 = 256;
/// Memory of a packed number, which may be one byte on the wire [bytes].
const NUMBER_BYTES: u64 = 8;
/// How many times its bytes a message may take.
const FACTOR: u64 = 4;
/// What a message may take however short it is [bytes]: a name for each of 65,535 labels.
const LEAST: u64 = 70_000 * ELEMENT_BYTES;
/// Messages within messages that are walked into; none of this protocol is deeper.
const MAX_DEPTH: usize = 20;

/// A field of a message, as far as its memory goes.
struct Field {
    name: String,
    is_repeated: bool,
    kind: Kind,
}

enum Kind {
    Message(String),
    Text,
    Varint,
    Fixed,
}

type Fields = HashMap<u32, Field>;

/// The messages of the protocol by their full names.
static SCHEMA: LazyLock<HashMap<String, Fields>> = LazyLock::new(|| {
    let files = FileDescriptorSet::decode(pb::DESCRIPTORS).expect("the compiler wrote it");
    let mut schema = HashMap::new();
    for file in &files.file {
        file.message_type.iter().for_each(|message| add(&mut schema, file.package(), message));
    }
    schema
});

fn add(schema: &mut HashMap<String, Fields>, scope: &str, message: &DescriptorProto) {
    let name = format!("{scope}.{}", message.name());
    message.nested_type.iter().for_each(|nested| add(schema, &name, nested));
    let field = |field: &prost_types::FieldDescriptorProto| {
        let kind = match field.r#type() {
            Type::Message | Type::Group => Kind::Message(field.type_name().trim_start_matches('.').to_owned()),
            Type::String | Type::Bytes => Kind::Text,
            Type::Double | Type::Float | Type::Fixed32 | Type::Fixed64 | Type::Sfixed32 | Type::Sfixed64 => Kind::Fixed,
            Type::Int64 | Type::Uint64 | Type::Int32 | Type::Uint32 | Type::Bool | Type::Enum => Kind::Varint,
            Type::Sint32 | Type::Sint64 => Kind::Varint,
        };
        let is_repeated = field.label() == Label::Repeated;
        (field.number().unsigned_abs(), Field { name: field.name().to_owned(), is_repeated, kind })
    };
    schema.insert(name, message.field.iter().map(field).collect());
}

/// What a message will take, by the paths of its repeated fields.
#[derive(Default)]
struct Account {
    total: u64,
    by_path: BTreeMap<String, u64>,
}

/// Checks that a message will not take much more memory than its bytes. What is not well formed is for the decoder to
/// find.
fn check(message: &str, bytes: &[u8]) -> Result<(), DoseError> {
    let most = LEAST.max(FACTOR.saturating_mul(bytes.len() as u64));
    let mut account = Account::default();
    walk(message, bytes, "", 0, most, &mut account);
    if account.total <= most {
        return Ok(());
    }
    let (path, _) = account.by_path.into_iter().max_by_key(|(_, bytes)| *bytes).unwrap_or_default();
    Err(DoseError::invalid(path, "has too many elements for one message"))
}

/// Walks over a message as long as it may grow. None where it is not well formed.
fn walk(message: &str, mut rest: &[u8], path: &str, depth: usize, most: u64, account: &mut Account) -> Option<()> {
    let fields = SCHEMA.get(message)?;
    while !rest.is_empty() && account.total <= most {
        let tag = varint(&mut rest)?;
        let field = fields.get(&u32::try_from(tag >> 3).ok()?);
        let value = match tag & 7 {
            0 => {
                varint(&mut rest)?;
                None
            }
            1 => take(&mut rest, 8).map(|_| None)?,
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                Some(take(&mut rest, length)?)
            }
            5 => take(&mut rest, 4).map(|_| None)?,
            _ => return None,
        };
        let Some(field) = field else { continue };
        let cost = match (&field.kind, value) {
            (Kind::Message(_) | Kind::Text, _) => ELEMENT_BYTES,
            (Kind::Varint, Some(packed)) => NUMBER_BYTES.saturating_mul(packed.len() as u64),
            (Kind::Varint | Kind::Fixed, _) => 0,
        };
        let inner = if path.is_empty() { field.name.clone() } else { format!("{path}.{}", field.name) };
        if field.is_repeated {
            account.total = account.total.saturating_add(cost);
            *account.by_path.entry(inner.clone()).or_default() += cost;
        }
        if let (Kind::Message(name), Some(value)) = (&field.kind, value)
            && depth < MAX_DEPTH
        {
            walk(name, value, &inner, depth + 1, most, account)?;
        }
    }
    Some(())
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

/// Source: Protocol Buffers, "Encoding", base 128 varints.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, left) = rest.split_first()?;
        *rest = left;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The codec of all calls: as that of prost, with a look at what comes.
#[derive(Clone, Debug)]
pub(super) struct CappedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for CappedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for CappedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = CappedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        CappedDecoder(ProstCodec::<T, U>::default().decoder())
    }
}

/// The decoder of [`CappedCodec`].
#[derive(Clone, Debug)]
pub(super) struct CappedDecoder<U>(ProstDecoder<U>);

impl<U: Message + Name + Default> Decoder for CappedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        check(&U::full_name(), from.chunk())?;
        self.0.decode(from)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::pb::compute_request;

    fn header(header: pb::ComputeHeader) -> Vec<u8> {
        pb::ComputeRequest { message: Some(compute_request::Message::Header(header)) }.encode_to_vec()
    }

    fn refused(bytes: &[u8]) -> Option<String> {
        let error = check("dosegrid.v1.ComputeRequest", bytes).err()?;
        Some(error.violations()[0].field.clone())
    }

    #[test]
    fn many_empty_messages_are_refused_before_they_are_decoded() {
        let maps = vec![pb::DaughterMap::default(); 100_000];
        let bytes = header(pb::ComputeHeader { daughter_maps: maps, ..Default::default() });
        assert!(bytes.len() < 300_000);
        assert_eq!(refused(&bytes).as_deref(), Some("header.daughter_maps"));
        let grid = pb::VoxelGrid { shape: vec![1; 4 << 20], ..Default::default() };
        let volume = pb::VolumeDescriptor { grid: Some(grid), ..Default::default() };
        let bytes = header(pb::ComputeHeader { activity: Some(volume), ..Default::default() });
        assert_eq!(refused(&bytes).as_deref(), Some("header.activity.grid.shape"));
    }

    #[test]
    fn what_callers_send_is_let_through() {
        let label_names = (1..=65_535).map(|label| (label, "n".to_owned())).collect();
        assert_eq!(refused(&header(pb::ComputeHeader { label_names, ..Default::default() })), None);
        let chunk = pb::VolumeChunk { data: vec![7; 4 << 20].into(), ..Default::default() };
        let message = Some(compute_request::Message::Chunk(chunk));
        assert_eq!(refused(&pb::ComputeRequest { message }.encode_to_vec()), None);
        for malformed in [&[0xff; 20][..], &[0x0a, 0x7f, 1], &[0x0b], &[]] {
            assert_eq!(refused(malformed), None);
        }
    }

    #[test]
    fn every_message_of_the_protocol_is_known() {
        assert!(SCHEMA.contains_key(&pb::ComputeRequest::full_name()) && SCHEMA.len() > 40);
    }
}
