//! Thrift's compact protocol, as far as the footer of a table needs it.
//!
//! Source: Apache Thrift, doc/specs/thrift-compact-protocol.md.

/// A value, and what it holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    I32(i32),
    I64(i64),
    Text(String),
    /// Values of one kind.
    List(Vec<Value>),
    /// Fields by rising number, each at most 15 above the one before.
    Struct(Vec<(u8, Value)>),
}

const I32: u8 = 5;
const I64: u8 = 6;
const TEXT: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;
/// Elements of a list from which its head has a length of its own.
const LONG_LIST: usize = 15;

/// A number in pieces of seven bits, the lowest first.
pub(super) fn varint(mut number: u64, into: &mut Vec<u8>) {
    while number > 0x7f {
        into.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    into.push(number.to_le_bytes()[0]);
}

/// Small numbers of either sign become small numbers.
fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

impl Value {
    fn code(&self) -> u8 {
        match self {
            Self::I32(_) => I32,
            Self::I64(_) => I64,
            Self::Text(_) => TEXT,
            Self::List(_) => LIST,
            Self::Struct(_) => STRUCT,
        }
    }

    /// Appends it.
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        match self {
            Self::I32(number) => varint(zigzag((*number).into()), into),
            Self::I64(number) => varint(zigzag(*number), into),
            Self::Text(text) => {
                varint(text.len() as u64, into);
                into.extend(text.as_bytes());
            }
            Self::List(values) => {
                // The kind of nothing is of no account.
                let code = values.first().map_or(STRUCT, Self::code);
                let short = u8::try_from(values.len().min(LONG_LIST)).expect("at most 15");
                into.push(short << 4 | code);
                if values.len() >= LONG_LIST {
                    varint(values.len() as u64, into);
                }
                values.iter().for_each(|value| value.write(into));
            }
            Self::Struct(fields) => {
                let mut last = 0;
                for (number, value) in fields {
                    into.push((number - last) << 4 | value.code());
                    value.write(into);
                    last = *number;
                }
                into.push(0);
            }
        }
    }
}

/// A struct from its bytes, and how many it has.
#[cfg(test)]
pub(super) fn read(bytes: &[u8]) -> (Value, usize) {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(STRUCT);
    (value, reader.at)
}

#[cfg(test)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

#[cfg(test)]
impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        self.at += 1;
        self.bytes[self.at - 1]
    }

    fn varint(&mut self) -> u64 {
        let byte = self.byte();
        let low = u64::from(byte & 0x7f);
        if byte < 0x80 { low } else { self.varint() << 7 | low }
    }

    fn number(&mut self) -> i64 {
        let number = self.varint();
        (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
    }

    fn value(&mut self, code: u8) -> Value {
        match code {
            I32 => Value::I32(i32::try_from(self.number()).expect("an i32")),
            I64 => Value::I64(self.number()),
            TEXT => {
                let length = usize::try_from(self.varint()).expect("a length");
                self.at += length;
                Value::Text(String::from_utf8(self.bytes[self.at - length..self.at].to_vec()).expect("text"))
            }
            LIST => {
                let head = self.byte();
                let short = usize::from(head >> 4);
                let length = if short < LONG_LIST { short } else { usize::try_from(self.varint()).expect("a length") };
                Value::List((0..length).map(|_| self.value(head & 0xf)).collect())
            }
            STRUCT => {
                let (mut fields, mut last) = (Vec::new(), 0);
                loop {
                    let head = self.byte();
                    if head == 0 {
                        return Value::Struct(fields);
                    }
                    last += head >> 4;
                    fields.push((last, self.value(head & 0xf)));
                }
            }
            other => panic!("no kind {other}"),
        }
    }
}

#[cfg(test)]
impl Value {
    pub(super) fn field(&self, number: u8) -> &Self {
        let Self::Struct(fields) = self else { panic!("no struct: {self:?}") };
        &fields.iter().find(|(own, _)| *own == number).unwrap_or_else(|| panic!("no field {number}: {self:?}")).1
    }

    pub(super) fn list(&self) -> &[Self] {
        let Self::List(values) = self else { panic!("no list: {self:?}") };
        values
    }

    pub(super) fn text(&self) -> String {
        let Self::Text(text) = self else { panic!("no text: {self:?}") };
        text.clone()
    }

    pub(super) fn number(&self) -> i64 {
        if let Self::I32(number) = self {
            return (*number).into();
        }
        let Self::I64(number) = self else { panic!("no number: {self:?}") };
        *number
    }
}

#[test]
fn values_are_as_the_protocol_writes_them() {
    let mut bytes = Vec::new();
    let list = Value::List(vec![Value::I64(-1); 20]);
    Value::Struct(vec![(1, Value::I32(150)), (3, Value::Text("é".into())), (4, list.clone())]).write(&mut bytes);
    // Zigzag of 150 is 300: 0xAC 0x02.
    assert_eq!(bytes[..12], [0x15, 0xac, 0x02, 0x28, 2, 0xc3, 0xa9, 0x19, 0xf6, 20, 1, 1]);
    assert_eq!((bytes.len(), bytes.last()), (10 + 20 + 1, Some(&0)));
    let (value, used) = read(&bytes);
    assert_eq!((value.field(4), used), (&list, bytes.len()));
    assert_eq!((value.field(1).number(), value.field(3).text().as_str()), (150, "é"));
}
