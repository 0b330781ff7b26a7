//! A receiver of mail by SMTP, in the clear, by STARTTLS or by TLS from the start.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How it is spoken to.
#[derive(Clone)]
pub(super) enum Speech {
    Plain,
    StartTls(Arc<ServerConfig>),
    Implicit(Arc<ServerConfig>),
}

/// A letter that came.
#[derive(Clone, Debug, Default)]
pub(super) struct Letter {
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) text: String,
    /// Whether it came by TLS.
    pub(super) is_secret: bool,
    /// What stands after AUTH PLAIN, as it came.
    pub(super) login: Option<String>,
}

/// What came: letters, and how often one was turned away.
pub(super) type Post = Arc<Mutex<(Vec<Letter>, usize)>>;

/// Takes mail until the test ends. So many letters are turned away first, as by a server that is busy.
pub(super) fn post_office(listener: TcpListener, speech: Speech, busy: usize) -> Post {
    let post: Post = Arc::default();
    let kept = post.clone();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            // Whoever does not trust its certificate goes away.
            let _ = take(stream, &speech, busy, &kept);
        }
    });
    post
}

fn take(stream: TcpStream, speech: &Speech, busy: usize, post: &Mutex<(Vec<Letter>, usize)>) -> io::Result<()> {
    let by_tls = |stream: TcpStream, config: &Arc<ServerConfig>| {
        let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        Ok::<_, io::Error>(StreamOwned::new(connection, stream))
    };
    match speech {
        Speech::Plain => converse(stream, true, "", busy, post).map(drop),
        Speech::Implicit(config) => converse(by_tls(stream, config)?, true, "AUTH PLAIN", busy, post).map(drop),
        Speech::StartTls(config) => match converse(stream, true, "STARTTLS", busy, post)? {
            None => Ok(()),
            Some(stream) => converse(by_tls(stream, config)?, false, "AUTH PLAIN", busy, post).map(drop),
        },
    }
}

/// Speaks to the end, or until TLS is to begin: then the stream is given back.
fn converse<S: Read + Write>(
    stream: S,
    greets: bool,
    extension: &str,
    busy: usize,
    post: &Mutex<(Vec<Letter>, usize)>,
) -> io::Result<Option<S>> {
    let mut stream = BufReader::new(stream);
    let mut letter = Letter { is_secret: extension == "AUTH PLAIN", ..Letter::default() };
    if greets {
        say(&mut stream, "220 post office")?;
    }
    loop {
        let line = hear(&mut stream)?;
        let (verb, rest) = line.split_once([' ', ':']).unwrap_or((&line, ""));
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" if extension.is_empty() => "250 post office".to_owned(),
            "EHLO" => format!("250-post office\r\n250 {extension}"),
            "STARTTLS" => {
                say(&mut stream, "220 go on")?;
                return Ok(Some(stream.into_inner()));
            }
            "AUTH" => {
                letter.login = rest.strip_prefix("PLAIN ").map(str::to_owned);
                "235 known".to_owned()
            }
            "MAIL" => {
                letter.from = address(rest);
                "250 ok".to_owned()
            }
            "RCPT" => {
                letter.to.push(address(rest));
                "250 ok".to_owned()
            }
            "DATA" => {
                say(&mut stream, "354 go on")?;
                letter.text = body(&mut stream)?;
                let mut post = post.lock().expect("no panic");
                if post.1 < busy {
                    post.1 += 1;
                    "451 busy".to_owned()
                } else {
                    post.0.push(letter.clone());
                    "250 taken".to_owned()
                }
            }
            "QUIT" => return say(&mut stream, "221 bye").map(|()| None),
            _ => "502 unknown".to_owned(),
        };
        say(&mut stream, &answer)?;
    }
}

fn say<S: Read + Write>(stream: &mut BufReader<S>, line: &str) -> io::Result<()> {
    stream.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
    stream.get_mut().flush()
}

fn hear<S: Read>(stream: &mut BufReader<S>) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

/// What stands in angle brackets.
fn address(text: &str) -> String {
    let after = text.split_once('<').map_or("", |(_, after)| after);
    after.split_once('>').map_or(after, |(inside, _)| inside).to_owned()
}

fn body<S: Read>(stream: &mut BufReader<S>) -> io::Result<String> {
    let mut text = String::new();
    loop {
        let line = hear(stream)?;
        if line == "." {
            return Ok(text);
        }
        text += line.strip_prefix('.').unwrap_or(&line);
        text.push('\n');
    }
}
