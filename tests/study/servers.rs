//! An archive of our own: C-STORE by an association, and DICOMweb by plain HTTP. Each serves some requests on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;
use dicom_ul::association::server::ServerAssociationOptions;
use dicom_ul::pdu::{PDataValue, PDataValueType, Pdu};
use tokio_rustls::rustls::ServerConfig;

/// SOP Instance UID and data set of what came.
pub(crate) type Got = (String, Vec<u8>);

/// Forwards one connection by TLS to an address; whether hands were shaken.
pub(crate) fn tls_before(address: SocketAddr, config: ServerConfig) -> (SocketAddr, JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let own = listener.local_addr().expect("an address");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            listener.set_nonblocking(true).expect("a socket");
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            let (caller, _) = listener.accept().await.expect("a caller");
            let Ok(mut caller) = acceptor.accept(caller).await else { return false };
            let mut behind = tokio::net::TcpStream::connect(address).await.expect("it listens");
            // Who has seen enough closes.
            let _ = tokio::io::copy_bidirectional(&mut caller, &mut behind).await;
            true
        })
    };
    (own, std::thread::spawn(serve))
}

/// Takes one association, and answers each C-STORE by the next of some statuses. What it was sent is returned.
pub(crate) fn store_scp(statuses: Vec<u16>) -> (SocketAddr, JoinHandle<Vec<Got>>) {
    store_scp_that_echoes(1, statuses)
}

/// As [`store_scp`]; it answers C-ECHO so often.
pub(crate) fn store_scp_that_echoes(times: usize, statuses: Vec<u16>) -> (SocketAddr, JoinHandle<Vec<Got>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let serve = move || {
        let (stream, _) = listener.accept().expect("a caller");
        let options = ServerAssociationOptions::new()
            .ae_title("TEST-SCP")
            .with_abstract_syntax(uids::VERIFICATION)
            .with_abstract_syntax(uids::RT_DOSE_STORAGE)
            .with_abstract_syntax(uids::CT_IMAGE_STORAGE);
        let mut association = options.establish(stream).expect("an association");
        let (mut got, mut statuses) = (Vec::new(), statuses.into_iter());
        let mut command: Option<InMemDicomObject> = None;
        let mut data = Vec::new();
        loop {
            let message = association.receive().expect("a message");
            if message == Pdu::ReleaseRQ {
                association.send(&Pdu::ReleaseRP).expect("an answer");
                return got;
            }
            let Pdu::PData { data: values } = message else { panic!("unexpected: {}", message.short_description()) };
            for value in values {
                let is_store = |command: &InMemDicomObject| number(command, tags::COMMAND_FIELD) == 1;
                match value.value_type {
                    PDataValueType::Command => {
                        let syntax = IMPLICIT_VR_LITTLE_ENDIAN.erased();
                        let read = InMemDicomObject::read_dataset_with_ts(value.data.as_slice(), &syntax);
                        let read = read.expect("a command");
                        if !is_store(&read) {
                            let context = value.presentation_context_id;
                            (0..times).for_each(|_| reply(&mut association, context, &read, 0));
                        }
                        command = Some(read);
                    }
                    PDataValueType::Data => {
                        data.extend(value.data);
                        if value.is_last {
                            let command = command.take().expect("a command before its data");
                            let uid = command.get(tags::AFFECTED_SOP_INSTANCE_UID).expect("a UID").to_str();
                            let uid = uid.expect("text").trim_matches([' ', '\0']).to_owned();
                            got.push((uid, std::mem::take(&mut data)));
                            let status = statuses.next().expect("as many statuses as instances");
                            reply(&mut association, value.presentation_context_id, &command, status);
                        }
                    }
                }
            }
        }
    };
    (address, std::thread::spawn(serve))
}

fn number(object: &InMemDicomObject, tag: dicom_core::Tag) -> u16 {
    object.get(tag).expect("an element").to_int().expect("a number")
}

fn reply(
    association: &mut dicom_ul::ServerAssociation<TcpStream>,
    context: u8,
    command: &InMemDicomObject,
    status: u16,
) {
    let class = command.get(tags::AFFECTED_SOP_CLASS_UID).expect("a class").to_str().expect("text").into_owned();
    let elements = [
        (tags::AFFECTED_SOP_CLASS_UID, VR::UI, PrimitiveValue::from(class)),
        (tags::COMMAND_FIELD, VR::US, PrimitiveValue::from(number(command, tags::COMMAND_FIELD) | 0x8000)),
        (tags::MESSAGE_ID_BEING_RESPONDED_TO, VR::US, PrimitiveValue::from(number(command, tags::MESSAGE_ID))),
        (tags::COMMAND_DATA_SET_TYPE, VR::US, PrimitiveValue::from(0x0101u16)),
        (tags::STATUS, VR::US, PrimitiveValue::from(status)),
    ];
    let elements = elements.map(|(tag, vr, value)| DataElement::new(tag, vr, value));
    let answer = InMemDicomObject::command_from_element_iter(elements);
    let mut data = Vec::new();
    answer.write_dataset_with_ts(&mut data, &IMPLICIT_VR_LITTLE_ENDIAN.erased()).expect("a good command");
    let value =
        PDataValue { presentation_context_id: context, value_type: PDataValueType::Command, is_last: true, data };
    association.send(&Pdu::PData { data: vec![value] }).expect("a caller that waits");
}

/// A request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method and path.
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// What is answered: status, content type, body. Status 0: the connection ends without an answer.
pub(crate) type Answer = (u16, String, Vec<u8>);

/// A web server, until the test ends; what it was asked is kept.
pub(crate) fn web(answer: impl Fn(&Asked) -> Answer + Send + 'static) -> (String, Arc<Mutex<Vec<Asked>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/dicom-web", listener.local_addr().expect("an address"));
    let all: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let kept = all.clone();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let mut reader = BufReader::new(stream);
            let Some(asked) = read(&mut reader) else { continue };
            let (status, kind, body) = answer(&asked);
            kept.lock().expect("no panic").push(asked);
            if status == 0 {
                continue;
            }
            let head = format!(
                "HTTP/1.1 {status} so\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let stream = reader.get_mut();
            // A caller that has seen enough closes.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    (url, all)
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers: BTreeMap<String, String> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = lines[0].trim_end_matches(" HTTP/1.1").to_owned();
    Some(Asked { line, headers, body })
}
