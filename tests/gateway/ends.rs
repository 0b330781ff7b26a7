//! How a gateway ends: told to, with associations open and an archive that says nothing; and by itself, where not all
//! have answered.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{InMemDicomObject, open_file};
use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;
use dicom_ul::ClientAssociation;
use dicom_ul::association::client::ClientAssociationOptions;
use dicom_ul::pdu::{PDataValue, PDataValueType, Pdu};
use serde_json::Value;

use super::network::{free_port, listens};
use super::site::{Site, files, study};
use crate::study::servers::web;
use crate::support::command::{dosegrid, stderr};

/// Well below the 60 s that an association may be silent for, and the 300 s that an answer is waited for.
const SOON: Duration = Duration::from_secs(15);
const LATE: Duration = Duration::from_secs(50);

pub(super) fn associate(port: u16) -> ClientAssociation<TcpStream> {
    let options = ClientAssociationOptions::new().called_ae_title("DOSEGRID").calling_ae_title("SPECT-1");
    let options = options.with_presentation_context(uids::CT_IMAGE_STORAGE, vec![uids::IMPLICIT_VR_LITTLE_ENDIAN]);
    options.read_timeout(Duration::from_secs(120)).establish(("127.0.0.1", port)).expect("an association")
}

pub(super) fn send(association: &mut ClientAssociation<TcpStream>, value_type: PDataValueType, data: Vec<u8>) {
    let id = association.presentation_contexts()[0].id;
    let value = PDataValue { presentation_context_id: id, value_type, is_last: true, data };
    association.send(&Pdu::PData { data: vec![value] }).expect("somebody reads");
}

/// A C-STORE of a slice: its command, and its data set.
pub(super) fn slice(path: &Path) -> [Vec<u8>; 2] {
    let syntax = IMPLICIT_VR_LITTLE_ENDIAN.erased();
    let object = open_file(path).expect("a slice");
    let instance = object.meta().media_storage_sop_instance_uid.clone();
    let mut data = Vec::new();
    object.into_inner().write_dataset_with_ts(&mut data, &syntax).expect("room");
    let command = InMemDicomObject::command_from_element_iter([
        DataElement::new(tags::AFFECTED_SOP_CLASS_UID, VR::UI, PrimitiveValue::from(uids::CT_IMAGE_STORAGE)),
        DataElement::new(tags::COMMAND_FIELD, VR::US, PrimitiveValue::from(1u16)),
        DataElement::new(tags::MESSAGE_ID, VR::US, PrimitiveValue::from(1u16)),
        DataElement::new(tags::PRIORITY, VR::US, PrimitiveValue::from(0u16)),
        DataElement::new(tags::COMMAND_DATA_SET_TYPE, VR::US, PrimitiveValue::from(1u16)),
        DataElement::new(tags::AFFECTED_SOP_INSTANCE_UID, VR::UI, PrimitiveValue::from(instance)),
    ]);
    let mut bytes = Vec::new();
    command.write_dataset_with_ts(&mut bytes, &syntax).expect("room");
    [bytes, data]
}

fn delivery<'a>(item: &'a Value, to: &str) -> &'a Value {
    item["deliveries"].as_array().expect("deliveries").iter().find(|one| one["to"] == to).expect("it goes there")
}

#[test]
fn a_gateway_that_is_told_to_end_waits_neither_for_who_is_idle_nor_for_a_silent_archive() {
    let port = free_port();
    let archive = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/dicom-web", archive.local_addr().expect("an address"));
    let site = Site::with(&format!(
        "folder = 'state'\npoll = '1s'\n\
         [[source]]\nname = 'inbox'\nkind = 'folder'\npath = 'in'\nquiet = '1s'\n\
         [[source]]\nname = 'ct'\nkind = 'c-store'\nlisten = '127.0.0.1:{port}'\ncalled = ['DOSEGRID']\n\
         [[destination]]\nname = 'silent'\nkind = 'dicom-web'\nurl = '{url}'\n\
         [[destination]]\nname = 'out'\nkind = 'folder'\npath = 'out'\n\
         [[rule]]\nname = 'lu'\nto = ['silent', 'out']\nrelease = 'auto'\n[rule.compute]\nmethod = 'local'\n"
    ));
    site.put(study(), &[]);
    let running = site.start();
    // The one says nothing: what goes to the other has come, and was read back.
    site.wait_for("the other has it", |items| {
        items.first().is_some_and(|item| item["state"] == "released" && delivery(item, "out")["state"] == "verified")
    });
    assert_eq!(delivery(&site.item(), "silent")["attempts"], 0);
    listens(port);
    let (mut idle, mut busy) = (associate(port), associate(port));
    let slices = files(&study().join("ct"));
    let ([first, first_data], [second, second_data]) = (slice(&slices[0]), slice(&slices[1]));
    send(&mut idle, PDataValueType::Command, first);
    send(&mut idle, PDataValueType::Data, first_data);
    assert!(matches!(idle.receive().expect("an answer"), Pdu::PData { .. }));
    send(&mut busy, PDataValueType::Command, second);
    // It has come before the signal, or the association would be idle.
    std::thread::sleep(Duration::from_secs(2));
    let start = Instant::now();
    running.terminate();
    assert!(matches!(idle.receive().expect("its end"), Pdu::AbortRQ { .. }));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    send(&mut busy, PDataValueType::Data, second_data);
    assert!(matches!(busy.receive().expect("an answer"), Pdu::PData { .. }), "the object was taken");
    assert!(matches!(busy.receive().expect("its end"), Pdu::AbortRQ { .. }));
    assert_eq!(running.ended().code(), Some(0));
    assert!(start.elapsed() < LATE, "{:?}", start.elapsed());
    drop(archive);
    // What was cut is done again.
    let item = site.items().into_iter().find(|item| item["deliveries"][0]["to"] == "silent").expect("the study");
    assert_eq!((&item["state"], &delivery(&item, "silent")["state"]), (&"released".into(), &"waiting".into()));
}

#[test]
fn a_gateway_that_ends_by_itself_says_who_did_not_answer() {
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let (worklist, _) = web(|_| (503, "text/plain".to_owned(), Vec::new()));
    let site = Site::new("release = 'auto'\nworklist = 'ris'", "");
    let file = site.path().join("gateway.toml");
    let text = std::fs::read_to_string(&file).expect("text");
    let more = format!(
        "[[source]]\nname = 'orthanc'\nkind = 'orthanc'\nurl = '{nobody}'\n\
         [[worklist]]\nname = 'ris'\nurl = '{worklist}'\n[[destination]]"
    );
    std::fs::write(&file, text.replacen("[[destination]]", &more, 1)).expect("a writable folder");
    site.put(study(), &[]);
    let output = dosegrid(site.path(), ["gateway", "--once", "--config", "gateway.toml"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = stderr(&output);
    let last = said.lines().last().expect("a line");
    assert!(last.contains("source orthanc: no answer") && last.contains("worklist ris: "), "{said}");
    // All that could be done was done.
    assert_eq!(site.item()["state"], "ready");
}
