//! Storage commitment, by an archive of our own that reports as it is told, and by Orthanc.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;
use dicom_ul::association::Association as _;
use dicom_ul::association::client::ClientAssociationOptions;
use dicom_ul::association::server::ServerAssociationOptions;
use dicom_ul::pdu::{PDataValue, PDataValueType, Pdu};

use super::network::{free_port, listens, send, text};
use super::site::{Site, study};
use crate::study::archives::Network;
use crate::support::command::{dosegrid, stderr};

const CLASS: &str = uids::STORAGE_COMMITMENT_PUSH_MODEL;
const INSTANCE: &str = "1.2.840.10008.1.20.1.1";
/// Command Fields, statuses and a Failure Reason. Source: DICOM PS3.7, annexes C and E.
const C_STORE: u16 = 0x0001;
const N_EVENT_REPORT: u16 = 0x0100;
const N_ACTION: u16 = 0x0130;
const NOT_ASKED: u16 = 0x0115;
const NO_SUCH_INSTANCE: u16 = 0x0112;

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
struct Request {
    transaction: String,
    class: String,
    instance: String,
}

/// What an archive was sent, and asked.
#[derive(Clone, Debug, Default)]
struct Log {
    stored: Vec<String>,
    asked: Vec<Request>,
}

/// What an archive reports on the same association: nothing, that it keeps the instance, or why it does not.
type Habit = fn(request: usize) -> Option<Result<(), u16>>;

/// An archive that stores, and reports by its habit. It serves one association after the other.
fn archive(habit: Habit) -> (SocketAddr, Arc<Mutex<Log>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let log: Arc<Mutex<Log>> = Arc::default();
    let kept = log.clone();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            serve(stream, habit, &kept);
        }
    });
    (address, log)
}

fn serve(stream: TcpStream, habit: Habit, log: &Mutex<Log>) {
    let options = ServerAssociationOptions::new()
        .ae_title("TEST-SCP")
        .with_abstract_syntax(uids::VERIFICATION)
        .with_abstract_syntax(uids::RT_DOSE_STORAGE)
        .with_abstract_syntax(CLASS);
    let mut association = options.establish(stream).expect("an association");
    let (mut command, mut data) = (None, Vec::new());
    // A gateway that is killed ends it.
    while let Ok(message) = association.receive() {
        let Pdu::PData { data: values } = message else {
            let _ = association.send(&Pdu::ReleaseRP);
            return;
        };
        for value in values {
            let context = value.presentation_context_id;
            if value.value_type == PDataValueType::Data {
                data.extend(value.data);
                if !value.is_last {
                    continue;
                }
                let command: InMemDicomObject = command.take().expect("a command before its data");
                let answer = |status| answer_to(&command, status);
                if number(&command, tags::COMMAND_FIELD) == C_STORE {
                    log.lock().expect("no panic").stored.push(uid(&command, tags::AFFECTED_SOP_INSTANCE_UID));
                    association.send(&pdu(context, PDataValueType::Command, answer(0))).expect("it waits");
                } else {
                    assert_eq!(number(&command, tags::COMMAND_FIELD), N_ACTION);
                    assert_eq!(number(&command, tags::ACTION_TYPE_ID), 1);
                    assert_eq!(uid(&command, tags::REQUESTED_SOP_CLASS_UID), CLASS);
                    assert_eq!(uid(&command, tags::REQUESTED_SOP_INSTANCE_UID), INSTANCE);
                    let asked = request(&read(&data));
                    association.send(&pdu(context, PDataValueType::Command, answer(0))).expect("it waits");
                    let before = log.lock().expect("no panic").asked.len();
                    if let Some(outcome) = habit(before) {
                        for part in report(context, &asked, outcome) {
                            association.send(&part).expect("it waits");
                        }
                        let Ok(Pdu::PData { data }) = association.receive() else { panic!("no answer to the report") };
                        assert_eq!(number_of(&data[0].data, tags::STATUS), 0);
                    }
                    log.lock().expect("no panic").asked.push(asked);
                }
                data.clear();
            } else {
                let read = read(&value.data);
                if number(&read, tags::COMMAND_DATA_SET_TYPE) == 0x0101 {
                    let answer = answer_to(&read, 0);
                    association.send(&pdu(context, PDataValueType::Command, answer)).expect("it waits");
                } else {
                    command = Some(read);
                }
            }
        }
    }
}

/// Reports on an association of its own; the status of the answer.
fn report_anew(port: u16, asked: &Request, outcome: Result<(), u16>) -> u16 {
    let options = ClientAssociationOptions::new()
        .calling_ae_title("TEST-SCP")
        .called_ae_title("DOSEGRID")
        .with_presentation_context(CLASS, vec![uids::IMPLICIT_VR_LITTLE_ENDIAN])
        .with_role_selection(CLASS, false, true);
    let mut association = options.establish(("127.0.0.1", port)).expect("it is a c-store source");
    let roles = association.requestor_roles_for(CLASS);
    assert!(roles.scp && !roles.scu, "the gateway does not let an archive be the provider");
    let context = association.presentation_contexts()[0].id;
    for part in report(context, asked, outcome) {
        association.send(&part).expect("it waits");
    }
    let Pdu::PData { data } = association.receive().expect("an answer") else { panic!("no answer to the report") };
    assert_eq!(number_of(&data[0].data, tags::COMMAND_FIELD), N_EVENT_REPORT | 0x8000);
    association.release().expect("it answers");
    number_of(&data[0].data, tags::STATUS)
}

fn read(bytes: &[u8]) -> InMemDicomObject {
    InMemDicomObject::read_dataset_with_ts(bytes, &IMPLICIT_VR_LITTLE_ENDIAN.erased()).expect("a data set")
}

fn number(object: &InMemDicomObject, tag: Tag) -> u16 {
    object.get(tag).expect("an element").to_int().expect("a number")
}

fn number_of(bytes: &[u8], tag: Tag) -> u16 {
    number(&read(bytes), tag)
}

fn uid(object: &InMemDicomObject, tag: Tag) -> String {
    object.get(tag).expect("an element").to_str().expect("text").trim_matches([' ', '\0']).to_owned()
}

fn request(object: &InMemDicomObject) -> Request {
    let items = object.get(tags::REFERENCED_SOP_SEQUENCE).expect("references").items().expect("a sequence");
    assert_eq!(items.len(), 1);
    Request {
        transaction: uid(object, tags::TRANSACTION_UID),
        class: uid(&items[0], tags::REFERENCED_SOP_CLASS_UID),
        instance: uid(&items[0], tags::REFERENCED_SOP_INSTANCE_UID),
    }
}

fn pdu(context: u8, value_type: PDataValueType, data: Vec<u8>) -> Pdu {
    Pdu::PData { data: vec![PDataValue { presentation_context_id: context, value_type, is_last: true, data }] }
}

fn command(elements: Vec<(Tag, VR, PrimitiveValue)>) -> Vec<u8> {
    let elements = elements.into_iter().map(|(tag, vr, value)| DataElement::new(tag, vr, value));
    let mut bytes = Vec::new();
    let object = InMemDicomObject::command_from_element_iter(elements);
    object.write_dataset_with_ts(&mut bytes, &IMPLICIT_VR_LITTLE_ENDIAN.erased()).expect("a good command");
    bytes
}

fn answer_to(asked: &InMemDicomObject, status: u16) -> Vec<u8> {
    command(vec![
        (tags::COMMAND_FIELD, VR::US, PrimitiveValue::from(number(asked, tags::COMMAND_FIELD) | 0x8000)),
        (tags::MESSAGE_ID_BEING_RESPONDED_TO, VR::US, PrimitiveValue::from(number(asked, tags::MESSAGE_ID))),
        (tags::COMMAND_DATA_SET_TYPE, VR::US, PrimitiveValue::from(0x0101u16)),
        (tags::STATUS, VR::US, PrimitiveValue::from(status)),
    ])
}

/// A report: its command, and its data set.
fn report(context: u8, asked: &Request, outcome: Result<(), u16>) -> [Pdu; 2] {
    let event: u16 = if outcome.is_ok() { 1 } else { 2 };
    let head = command(vec![
        (tags::AFFECTED_SOP_CLASS_UID, VR::UI, PrimitiveValue::from(CLASS)),
        (tags::COMMAND_FIELD, VR::US, PrimitiveValue::from(N_EVENT_REPORT)),
        (tags::MESSAGE_ID, VR::US, PrimitiveValue::from(7u16)),
        (tags::COMMAND_DATA_SET_TYPE, VR::US, PrimitiveValue::from(1u16)),
        (tags::AFFECTED_SOP_INSTANCE_UID, VR::UI, PrimitiveValue::from(INSTANCE)),
        (tags::EVENT_TYPE_ID, VR::US, PrimitiveValue::from(event)),
    ]);
    let of = |tag, text: &str| DataElement::new(tag, VR::UI, PrimitiveValue::from(text));
    let mut item = InMemDicomObject::from_element_iter([
        of(tags::REFERENCED_SOP_CLASS_UID, &asked.class),
        of(tags::REFERENCED_SOP_INSTANCE_UID, &asked.instance),
    ]);
    let list = match outcome {
        Ok(()) => tags::REFERENCED_SOP_SEQUENCE,
        Err(reason) => {
            item.put(DataElement::new(tags::FAILURE_REASON, VR::US, PrimitiveValue::from(reason)));
            tags::FAILED_SOP_SEQUENCE
        }
    };
    let object = InMemDicomObject::from_element_iter([
        of(tags::TRANSACTION_UID, &asked.transaction),
        DataElement::new(list, VR::SQ, DataSetSequence::from(vec![item])),
    ]);
    let mut data = Vec::new();
    object.write_dataset_with_ts(&mut data, &IMPLICIT_VR_LITTLE_ENDIAN.erased()).expect("a good data set");
    [pdu(context, PDataValueType::Command, head), pdu(context, PDataValueType::Data, data)]
}

/// A gateway from its inbox to an archive, which reports on the same association.
fn site(archive: SocketAddr, more: &str) -> Site {
    let destination = format!("kind = 'c-store'\nto = 'TEST-SCP@{archive}'\ncommitment = 'same-association'\n{more}");
    let site = Site::with(&text("kind = 'folder'\npath = 'in'", &destination));
    site.put(study(), &[]);
    site
}

#[test]
fn what_an_archive_does_not_keep_is_sent_again_until_it_is_kept() {
    let (address, log) = archive(|request| Some(if request == 0 { Err(NO_SUCH_INSTANCE) } else { Ok(()) }));
    let site = site(address, "");
    let told = site.run();
    site.tells_nobody(&told);
    let item = site.item();
    let delivery = &item["deliveries"][0];
    assert_eq!((&item["state"], &delivery["state"]), (&"verified".into(), &"committed".into()), "{item:#}");
    // What it proves is said, and no more.
    let words = "by storage commitment the UID is there; what lies under it was not compared";
    for said in [&item["reason"], &delivery["said"]] {
        assert!(said.as_str().expect("text").contains(words), "{said}");
    }
    assert!(site.asked(&["show", item["id"].as_str().expect("an id")]).contains("committed, not compared"));
    let Log { stored, asked } = log.lock().expect("no panic").clone();
    let uid = item["objects"][0]["instance"].as_str().expect("a UID");
    assert_eq!(stored, [uid, uid]);
    assert!(asked.len() == 2 && asked[0].transaction != asked[1].transaction, "{asked:?}");
    assert!(asked.iter().all(|one| one.instance == uid && one.class == uids::RT_DOSE_STORAGE), "{asked:?}");
    assert_eq!(delivery["transaction"], asked[1].transaction.as_str());
}

#[test]
fn an_archive_that_never_reports_or_refuses_ends_in_the_list() {
    let habits: [(Habit, &str); 2] = [
        (|_| None, "no report of storage commitment came in time"),
        (|_| Some(Err(0x0213)), "not kept: 0213H out of resources"),
    ];
    for (habit, words) in habits {
        let (address, log) = archive(habit);
        let site = site(address, "commitment_limit = '1s'");
        site.run();
        let (state, reason) = site.states()[0].clone();
        assert!(state == "aside" && reason.contains(words), "{state}: {reason}");
        let log = log.lock().expect("no panic").clone();
        assert_eq!((log.stored.len(), log.asked.len()), (1, 2), "{log:?}");
    }
}

#[test]
fn a_report_comes_on_an_association_of_its_own_and_after_a_loss() {
    let port = free_port();
    let (address, log) = archive(|_| None);
    let source = format!("kind = 'c-store'\nlisten = '127.0.0.1:{port}'\ncalled = ['DOSEGRID']");
    let destination = format!("kind = 'c-store'\nto = 'TEST-SCP@{address}'\ncommitment = 'new-association'");
    let site = Site::with(&text(&source, &destination));
    let running = site.start();
    listens(port);
    let output = send(site.path(), &format!("DOSEGRID@127.0.0.1:{port}"), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    site.wait("it is sent", |states| states.first().is_some_and(|(state, _)| state == "sent"));
    site.wait_for("it was asked", |_| !log.lock().expect("no panic").asked.is_empty());
    running.kill();
    let running = site.start();
    listens(port);
    let asked = log.lock().expect("no panic").asked[0].clone();
    // Reports of what nobody asked for change nothing.
    let other = Request { transaction: "1.2.3".into(), ..asked.clone() };
    assert_eq!(report_anew(port, &other, Ok(())), NOT_ASKED);
    assert_eq!(site.item()["deliveries"][0]["state"], "stored");
    assert_eq!(report_anew(port, &asked, Ok(())), 0);
    // The same again says nothing new, and neither does its contrary.
    assert_eq!(report_anew(port, &asked, Err(NO_SUCH_INSTANCE)), 0);
    site.wait("it is verified", |states| states.first().is_some_and(|(state, _)| state == "verified"));
    drop(running);
    assert_eq!(site.item()["deliveries"][0]["state"], "committed");
    let log = log.lock().expect("no panic").clone();
    assert_eq!((log.stored.len(), log.asked.len()), (1, 1), "{log:?}");
    site.tells_nobody("");
}

#[test]
fn settings_of_storage_commitment_that_do_not_fit_are_faults() {
    let faults = |source: &str, more: &str| {
        let site = Site::with(&text(source, &format!("kind = 'c-store'\nto = 'PACS@127.0.0.1:1'\n{more}")));
        let output = dosegrid(site.path(), ["gateway", "--config", "gateway.toml"]);
        assert_eq!(output.status.code(), Some(2));
        stderr(&output)
    };
    let folder = "kind = 'folder'\npath = 'in'";
    let store = "kind = 'c-store'\nlisten = '127.0.0.1:1'\ncalled = 'DOSEGRID'\ncalling = 'CAMERA'";
    let anew = "commitment = 'new-association'";
    for source in [folder, store] {
        let said = faults(source, anew);
        assert!(said.contains("is called `DOSEGRID` and lets `PACS` call"), "{said}");
    }
    let both = format!("{anew}\nread_back = 'http://127.0.0.1:1'\ncommitment_limit = '1 hour'");
    let said = faults(&store.replace("CAMERA", "PACS"), &both);
    for words in ["destination.commitment has no effect with `read_back`", "destination.commitment_limit is a number"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("lets `PACS` call"), "{said}");
    assert!(faults(folder, "commitment_limit = '1h'").contains("has no effect without `commitment`"));
}

#[test]
#[cfg_attr(no_orthanc, ignore = "there is no Orthanc")]
fn orthanc_commits_on_an_association_of_its_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let network = Network::own();
    let orthanc = network.orthanc(folder.path());
    let (port, dicom) = (orthanc.gateway, orthanc.dicom);
    let source = format!(
        "kind = 'folder'\npath = 'in'\n\
         [[source]]\nname = 'reports'\nkind = 'c-store'\nlisten = '127.0.0.1:{port}'\ncalled = 'DOSEGRID'\n\
         calling = 'ORTHANC'"
    );
    let destination = format!("kind = 'c-store'\nto = 'ORTHANC@127.0.0.1:{dicom}'\ncommitment = 'new-association'");
    let site = Site::with(&text(&source, &destination));
    site.put(study(), &[]);
    let output = network.dosegrid(site.path(), &["gateway", "--config", "gateway.toml", "--once"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let item = site.item();
    assert_eq!(
        (&item["state"], &item["deliveries"][0]["state"]),
        (&"verified".into(), &"committed".into()),
        "{item:#}"
    );
}
