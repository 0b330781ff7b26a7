//! Places for associations, and who may hold them for how long.

use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;
use dicom_ul::pdu::{PDataValueType, Pdu};

use super::ends::{associate, send, slice};
use super::network::{free_port, listens, text};
use super::site::{Site, files, study};

/// Places of one address.
const OF_A_PEER: usize = 8;
/// Longer than a caller may be silent before it has sent anything, and shorter than after that.
const BETWEEN: Duration = Duration::from_secs(35);

fn site(port: u16) -> Site {
    let source = format!(
        "kind = 'c-store'\nlisten = '127.0.0.1:{port}'\ncalled = ['DOSEGRID']\n\
         addresses = ['127.0.0.1', '127.0.0.2']"
    );
    Site::with(&text(&source, "kind = 'folder'\npath = 'out'"))
}

/// A connection from an address of this machine.
fn call(from: &str, port: u16) -> TcpStream {
    let address = |ip: &str, port: u16| SocketAddr::new(ip.parse().expect("an address"), port);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(address(from, 0)).expect("an address of this machine");
        socket.connect(address("127.0.0.1", port)).await.expect("it listens").into_std().expect("a socket")
    });
    stream.set_nonblocking(false).expect("a socket");
    stream
}

/// Whether a connection is ended within a time.
fn ends_within(mut stream: &TcpStream, time: Duration) -> bool {
    stream.set_read_timeout(Some(time)).expect("a socket");
    match stream.read(&mut [0]) {
        Ok(0) => true,
        Ok(_) => panic!("nothing was asked"),
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[test]
fn a_peer_that_takes_all_places_it_can_leaves_some_to_others() {
    let port = free_port();
    let site = site(port);
    let _running = site.start();
    listens(port);
    // The call that looked whether it listens has ended.
    std::thread::sleep(Duration::from_secs(1));
    let all: Vec<TcpStream> = (0..OF_A_PEER).map(|_| call("127.0.0.1", port)).collect();
    assert!(ends_within(&call("127.0.0.1", port), Duration::from_secs(10)), "it has no more");
    let other = call("127.0.0.2", port);
    assert!(!ends_within(&other, Duration::from_secs(2)), "another has");
    drop(all);
}

/// The status of an answer.
fn status(answer: Pdu) -> u16 {
    let Pdu::PData { data } = answer else { panic!("no answer: {answer:?}") };
    let syntax = IMPLICIT_VR_LITTLE_ENDIAN.erased();
    let command = InMemDicomObject::read_dataset_with_ts(data[0].data.as_slice(), &syntax).expect("a command");
    command.element(tags::STATUS).expect("it has one").to_int().expect("a number")
}

#[test]
fn an_instance_for_which_there_is_no_room_is_answered_so_and_the_next_is_taken() {
    let port = free_port();
    let site = site(port);
    let _running = site.start();
    listens(port);
    let mut association = associate(port);
    let slices = files(&study().join("ct"));
    let mut store = |path| {
        let [command, data] = slice(path);
        send(&mut association, PDataValueType::Command, command);
        send(&mut association, PDataValueType::Data, data);
        status(association.receive().expect("an answer"))
    };
    // As on a full disk, no file can be begun.
    let [folder, away] = ["state/receiving", "state/away"].map(|name| site.path().join(name));
    std::fs::rename(&folder, &away).expect("a folder of ours");
    assert_eq!(store(&slices[0]), 0xa700);
    std::fs::rename(&away, &folder).expect("a folder of ours");
    assert_eq!(store(&slices[0]), 0);
    site.wait("it is taken", |states| states.len() == 1);
}

#[test]
fn who_has_sent_nothing_may_be_silent_for_less_time() {
    let port = free_port();
    let site = site(port);
    let _running = site.start();
    listens(port);
    let (mut idle, mut busy) = (associate(port), associate(port));
    let start = Instant::now();
    let slices = files(&study().join("ct"));
    let mut store = |path| {
        let [command, data] = slice(path);
        send(&mut busy, PDataValueType::Command, command);
        send(&mut busy, PDataValueType::Data, data);
        assert!(matches!(busy.receive().expect("an answer"), Pdu::PData { .. }));
    };
    store(&slices[0]);
    assert!(idle.receive().is_err(), "it is ended");
    assert!(start.elapsed() < BETWEEN, "{:?}", start.elapsed());
    // Since the first slice as much time has passed, and more.
    std::thread::sleep(Duration::from_secs(3));
    store(&slices[1]);
}
