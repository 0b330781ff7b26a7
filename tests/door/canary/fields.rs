//! Every text of every request, by the descriptors of the protocol.

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorSet};

/// As the clients have it.
const DESCRIPTORS: &[u8] = include_bytes!("../../../clients/python/src/dosegrid/descriptors.pb");
/// Messages within messages; none has as many.
const DEEPEST: usize = 12;

/// A text of a request.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// The call, such as `dosegrid.v1.DoseService/Compute`.
    pub(super) call: String,
    /// Its path, for people.
    pub(super) name: String,
    /// Numbers of the fields on the way to it.
    path: Vec<u32>,
}

impl Text {
    /// What puts a text there, when it is added to the bytes of a request.
    pub(super) fn with(&self, text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        for number in self.path.iter().rev() {
            let mut outer = Vec::new();
            encode_key(*number, WireType::LengthDelimited, &mut outer);
            encode_varint(bytes.len() as u64, &mut outer);
            outer.extend(bytes);
            bytes = outer;
        }
        bytes
    }
}

struct Messages(Vec<(String, DescriptorProto)>);

impl Messages {
    fn add(&mut self, package: &str, message: &DescriptorProto) {
        let name = format!("{package}.{}", message.name());
        message.nested_type.iter().for_each(|nested| self.add(&name, nested));
        self.0.push((name, message.clone()));
    }

    /// The texts of a message.
    fn texts(&self, message: &str, before: &Text, found: &mut Vec<Text>) {
        assert!(before.path.len() < DEEPEST, "{}", before.name);
        let (_, message) = self.0.iter().find(|(name, _)| name == message).expect("every message is described");
        for field in &message.field {
            let mut at = before.clone();
            at.name = format!("{}.{}", before.name, field.name());
            at.path.push(u32::try_from(field.number()).expect("numbers of fields are above 0"));
            if field.r#type() == Type::String {
                found.push(at);
            } else if field.r#type() == Type::Message {
                self.texts(field.type_name(), &at, found);
            }
        }
    }
}

/// Every text of every request, keys and values of maps included.
pub(super) fn texts() -> Vec<Text> {
    let set = FileDescriptorSet::decode(DESCRIPTORS).expect("descriptors");
    let mut messages = Messages(Vec::new());
    for file in &set.file {
        file.message_type.iter().for_each(|message| messages.add(&format!(".{}", file.package()), message));
    }
    let mut found = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let call = format!("{}.{}/{}", file.package(), service.name(), method.name());
                let begin = Text { name: call.clone(), call, path: Vec::new() };
                messages.texts(method.input_type(), &begin, &mut found);
            }
        }
    }
    found
}
